"""Two networks on one machine, as if the host and its peers were two.

Over the loopback interface one kernel serves both ends of a connection on whatever core sends: the host's core also
acknowledges, delays and probes for its peers, whose timers run out on it by the thousand. In namespaces of their own,
with a virtual cable between, whatever arrives at the peers is taken care of on the peers' cores, their timers with it.
What arrives at the host is received on the core that sent it, like the interrupts of a network card that another core
serves. (Steered to the host's core it would wait there until the other core has told of it, and with it everything
behind it, the loopback interface's packets too: up to a millisecond that no real machine has.)

Needs root and `ip` (iproute2).
"""

import contextlib
import os
import shutil
import subprocess
import uuid

# RFC 2544's addresses for measurements.
HOST_ADDRESS, PEERS_ADDRESS = "198.18.0.1", "198.18.0.2"


class Network:
    """A namespace; `close` takes it away with all that is in it."""

    def __init__(self) -> None:
        self.name = f"patchbay-{uuid.uuid4().hex[:8]}"
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "set", "lo", "up")

    def command(self, *command: str) -> list[str]:
        """The command line that runs `command` in it."""
        return ["ip", "netns", "exec", self.name, *command]

    def receive(self, interface: str, cores: set[int]) -> None:
        """What arrives at the interface is taken care of on these cores (receive packet steering)."""
        mask = f"{sum(1 << core for core in cores):x}"
        subprocess.run(self.command("tee", f"/sys/class/net/{interface}/queues/rx-0/rps_cpus"), input=mask, check=True,
                       capture_output=True, text=True)

    def plug(self, interface: str, address: str) -> None:
        ip("-n", self.name, "address", "add", f"{address}/30", "dev", interface)
        ip("-n", self.name, "link", "set", interface, "up")

    def close(self) -> None:
        ip("netns", "delete", self.name)


@contextlib.contextmanager
def host_and_peers(peers_cores: set[int]):
    """The network of the host and the one of the peers; `HOST_ADDRESS` leads from the second to the first."""
    with contextlib.ExitStack() as stack:
        host = stack.enter_context(contextlib.closing(Network()))
        peers = stack.enter_context(contextlib.closing(Network()))
        ip("-n", host.name, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", peers.name)
        host.plug("cable", HOST_ADDRESS)
        peers.plug("cable", PEERS_ADDRESS)
        peers.receive("cable", peers_cores)
        yield host, peers


def ip(*arguments: str) -> None:
    ran = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"no network for the peers: ip {' '.join(arguments)}: {ran.stderr.strip()}; --one-network does without")


def are_possible() -> bool:
    """Whether this process may make some."""
    return os.geteuid() == 0 and shutil.which("ip") is not None
