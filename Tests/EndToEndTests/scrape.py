"""What a scrape of a host says, read as Prometheus reads it."""

import pathlib
import re
import urllib.request

from host import ROOT

SAMPLE = re.compile(r'^(?P<name>[a-z_:][a-z0-9_:]*)\{(?P<labels>(?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\} (?P<value>\S+)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def get(address: str, token: str | None = None, accept: str | None = None) -> tuple[str, str]:
    """Content type and text of `/metrics`."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if accept:
        headers["Accept"] = accept
    with urllib.request.urlopen(urllib.request.Request(f"http://{address}/metrics", headers=headers), timeout=20) as reply:
        return reply.headers["Content-Type"], reply.read().decode()


class Scrape:
    """The samples of one text. Every line must be one, or a comment."""

    def __init__(self, text: str) -> None:
        self.text, self.kinds, self.samples = text, {}, {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                name, kind = line.split()[2:]
                assert name not in self.kinds, f"{name} comes twice"
                self.kinds[name] = kind
            if line.startswith("#"):
                continue
            found = SAMPLE.match(line)
            assert found, f"no sample: {line!r}"
            key = (found["name"], frozenset(LABEL.findall(found["labels"])))
            assert key not in self.samples, f"twice: {line}"
            self.samples[key] = float(found["value"])

    @classmethod
    def of(cls, address: str, **how: str) -> "Scrape":
        return cls(get(address, **how)[1])

    def value(self, name: str, **labels: str) -> float | None:
        """The sample with exactly these labels."""
        return self.samples.get((name, frozenset(labels.items())))

    def sum(self, name: str, **labels: str) -> float:
        """All samples that have these labels among theirs."""
        return sum(value for (sample, its), value in self.samples.items()
                   if sample == name and its >= frozenset(labels.items()))

    @property
    def names(self) -> set[str]:
        """Every family that has a sample."""
        return {self.family(name) for name, _ in self.samples}

    def family(self, sample: str) -> str:
        base = re.sub(r"_(bucket|sum|count)$", "", sample)
        return base if self.kinds.get(base) == "histogram" else sample


def declared() -> set[str]:
    """Every metric of docs/metrics.md, which a unit test holds against the host's own table."""
    text = pathlib.Path(ROOT / "docs" / "metrics.md").read_text()
    return set(re.findall(r"^\| `(\w+)` \| (?:counter|gauge|histogram) \|", text, re.M))
