"""Runs llama.cpp's own HTTP server over a model small enough to write at start.

    llama_server.py MODEL_FILE [--api-key KEY]

Prints `ready http://127.0.0.1:PORT/v1` once it answers and serves until SIGTERM. The model is written to MODEL_FILE
when it is missing. What it says is known beforehand, see `walk`; tests import that to know the right answer.
"""

import argparse
import os
import random
import signal
import struct
import sys
import urllib.request

MODEL = "tiny-walk"
SLOTS = 8
CONTEXT_TOKENS = 8192  # of one slot: prompt and answer together

# The vocabulary: two control tokens, every byte (a prompt byte is a token), then words.
BEGIN, END = 0, 1
FIRST_BYTE, FIRST_WORD = 2, 2 + 256
RING_WORDS = 480  # a walk goes round these for ever
TAIL_WORDS = 12  # and a prompt that ends in "." walks these, then stops
DIMENSIONS = 128
SEED = 20260

# One word in five ends in something that a careless reader of event streams or JSON gets wrong.
TRAPS = [
    '"', "\\", "\n", "\r\n", "\t", "\x7f", "\n\ndata: [DONE]\n\n", "</s>", "ü", "o\u0308", "語", "🧭",
    "👨\u200d🔧", "\u2028", "\u0085", "{}",
]


def word(index: int) -> str:
    """The text of word `index`: its number in letters, so no two are alike, and now and then a trap."""
    letters = "aeioumnrst"
    name = "".join(letters[int(digit)] for digit in f"{index:03d}")
    trap = TRAPS[index // 5 % len(TRAPS)] if index % 5 == 4 else ""
    return f" {name}{trap}"


def first_word(prompt: str) -> int:
    """Where the walk of a prompt begins: its last byte alone decides."""
    last = prompt.encode()[-1]
    return RING_WORDS if last == ord(".") else last * 37 % RING_WORDS


def walk(prompt: str, tokens: int) -> str:
    """What the model answers at temperature 0 within `tokens` tokens."""
    at = first_word(prompt)
    if at >= RING_WORDS:
        return "".join(word(at + step) for step in range(min(tokens, TAIL_WORDS)))
    return "".join(word((at + step) % RING_WORDS) for step in range(tokens))


def byte_letters() -> list[str]:
    """The letter that stands for each byte in a GPT-2 vocabulary: itself where printable, else one from U+0100 on."""
    printable = set(range(33, 127)) | set(range(161, 173)) | set(range(174, 256))
    letters, spare = [], 256
    for byte in range(256):
        if byte in printable:
            letters.append(chr(byte))
        else:
            letters.append(chr(spare))
            spare += 1
    return letters


def successors() -> dict[int, list[int]]:
    """For each word token (and END) the tokens that it follows. The whole model is this table."""
    before: dict[int, list[int]] = {}
    for index in range(RING_WORDS):
        before[FIRST_WORD + index] = [FIRST_WORD + (index - 1) % RING_WORDS]
    for index in range(RING_WORDS + 1, RING_WORDS + TAIL_WORDS):
        before[FIRST_WORD + index] = [FIRST_WORD + index - 1]
    before[FIRST_WORD + RING_WORDS] = []
    before[END] = [FIRST_WORD + RING_WORDS + TAIL_WORDS - 1]
    for byte in range(256):
        start = RING_WORDS if byte == ord(".") else byte * 37 % RING_WORDS
        before[FIRST_WORD + start].append(FIRST_BYTE + byte)
    return before


def weights() -> dict[str, tuple[tuple[int, ...], list[float]]]:
    """Name to shape (fastest dimension first) and values.

    Every token is a random vector of plus and minus one, and a token's output row is the sum of those it follows, so
    the right successor scores 128 and the others stay near 0. Layers add nothing: the last token alone decides.
    """
    draw = random.Random(SEED)
    count = FIRST_WORD + RING_WORDS + TAIL_WORDS
    vectors = [[1.0 if draw.getrandbits(1) else -1.0 for _ in range(DIMENSIONS)] for _ in range(count)]
    rows = [[0.0] * DIMENSIONS for _ in range(count)]
    for token, followed in successors().items():
        for earlier in followed:
            rows[token] = [total + part for total, part in zip(rows[token], vectors[earlier])]
    square, ones = (DIMENSIONS, DIMENSIONS), [1.0] * DIMENSIONS
    nothing = [0.0] * (DIMENSIONS * DIMENSIONS)
    result = {
        "token_embd.weight": ((DIMENSIONS, count), [value for vector in vectors for value in vector]),
        "output.weight": ((DIMENSIONS, count), [value for row in rows for value in row]),
        "output_norm.weight": ((DIMENSIONS,), ones),
        "blk.0.attn_norm.weight": ((DIMENSIONS,), ones),
        "blk.0.ffn_norm.weight": ((DIMENSIONS,), ones),
    }
    for part in ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]:
        result[f"blk.0.{part}.weight"] = (square, nothing)
    return result


class GGUF:
    """Writes the GGUF format, version 3: header, metadata, tensor index, data at multiples of 32 bytes."""

    UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
    FORMATS = {UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?"}

    def __init__(self) -> None:
        self.metadata: list[bytes] = []

    @staticmethod
    def string(text: str) -> bytes:
        raw = text.encode()
        return struct.pack("<Q", len(raw)) + raw

    def value(self, kind: int, value) -> bytes:
        return self.string(value) if kind == self.STRING else struct.pack(self.FORMATS[kind], value)

    def add(self, key: str, kind: int, value) -> None:
        if isinstance(value, list):
            body = struct.pack("<IIQ", self.ARRAY, kind, len(value))
            body += b"".join(self.value(kind, element) for element in value)
        else:
            body = struct.pack("<I", kind) + self.value(kind, value)
        self.metadata.append(self.string(key) + body)

    def file(self, tensors: dict[str, tuple[tuple[int, ...], list[float]]]) -> bytes:
        index, data = b"", b""
        for name, (shape, values) in tensors.items():
            index += self.string(name) + struct.pack("<I", len(shape))
            index += b"".join(struct.pack("<Q", size) for size in shape)
            index += struct.pack("<IQ", 0, len(data))
            data += struct.pack(f"<{len(values)}f", *values)
            data += b"\0" * (-len(data) % 32)
        head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(self.metadata)) + b"".join(self.metadata) + index
        return head + b"\0" * (-len(head) % 32) + data


def model() -> bytes:
    letters = byte_letters()
    words = [
        "".join(letters[byte] for byte in word(index).encode()) for index in range(RING_WORDS + TAIL_WORDS)
    ]
    normal, control = 1, 3
    tokens = ["<begin>", "<end>", *letters, *words]
    file = GGUF()
    file.add("general.architecture", GGUF.STRING, "llama")
    file.add("general.name", GGUF.STRING, MODEL)
    for key, number in {
        "vocab_size": len(tokens), "context_length": 1 << 17, "block_count": 1, "embedding_length": DIMENSIONS,
        "feed_forward_length": DIMENSIONS, "attention.head_count": 2, "attention.head_count_kv": 2,
        "rope.dimension_count": DIMENSIONS // 2,
    }.items():
        file.add(f"llama.{key}", GGUF.UINT32, number)
    file.add("llama.attention.layer_norm_rms_epsilon", GGUF.FLOAT32, 1e-6)
    # The template is the conversation and nothing after it, so that the prompt's last byte is the last token.
    file.add("tokenizer.chat_template", GGUF.STRING, "{% for m in messages %}\n{{ m.content }}{% endfor %}")
    file.add("tokenizer.ggml.model", GGUF.STRING, "gpt2")
    file.add("tokenizer.ggml.pre", GGUF.STRING, "gpt-2")
    file.add("tokenizer.ggml.tokens", GGUF.STRING, tokens)
    file.add("tokenizer.ggml.token_type", GGUF.INT32, [control, control] + [normal] * (len(tokens) - 2))
    file.add("tokenizer.ggml.merges", GGUF.STRING, [])
    file.add("tokenizer.ggml.bos_token_id", GGUF.UINT32, BEGIN)
    file.add("tokenizer.ggml.eos_token_id", GGUF.UINT32, END)
    file.add("tokenizer.ggml.add_bos_token", GGUF.BOOL, True)
    return file.file(weights())


def serve(path: str, api_key: str | None):
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = path
    params.model_alias = {MODEL}
    params.hostnames, params.port, params.reuse_port = ["127.0.0.1"], 0, False
    params.api_keys = [api_key] if api_key else []
    params.n_parallel, params.n_ctx = SLOTS, SLOTS * CONTEXT_TOKENS
    params.n_threads_http = 64  # an open connection holds one
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_gpu_layers, params.fit_params, params.warmup, params.verbosity = 0, False, False, 1
    return xllamacpp.Server(params)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model_file")
    parser.add_argument("--api-key")
    options = parser.parse_args()
    if not os.path.exists(options.model_file):
        with open(options.model_file + ".part", "wb") as file:
            file.write(model())
        os.replace(options.model_file + ".part", options.model_file)
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # before the server's threads, so that only sigwait takes them
    try:
        server = serve(options.model_file, options.api_key)
    except ImportError as error:
        sys.exit(f"cannot import xllamacpp ({error}); it needs Debian's libgomp1 and Tests/requirements.txt")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(server.listening_address + "/health", timeout=30).close()
    print(f"ready {server.listening_address}/v1", flush=True)
    signal.sigwait(stops)
    os._exit(0)  # streams that are open end without their last chunk, as they do when a server dies


if __name__ == "__main__":
    main()
