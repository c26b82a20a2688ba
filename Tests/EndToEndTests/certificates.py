"""Certificates for the tests of TLS, made by the `openssl` command and thrown away with the test run."""

import os
import pathlib
import ssl
import subprocess

AUTHORITY = "basicConstraints=critical,CA:TRUE"
NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"
EC = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
RSA = ("rsa:2048",)

# What `openssl ca` must be told to give a certificate any dates.
CA_SECTION = """[ca]
default_ca = it
[it]
new_certs_dir = .
database = index
serial = serial
default_md = sha256
policy = any
[any]
commonName = supplied
"""


class Certificates:
    """A folder with an authority; `server`, `client` and the like are signed by it, `intruder` by another."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        for name in ("ca", "stranger"):
            self.openssl("req", "-x509", "-newkey", *EC, "-nodes", "-days", "30", "-subj", f"/CN={name}",
                         "-keyout", f"{name}.key", "-out", f"{name}.pem", "-addext", AUTHORITY)
        for name in ("server", "renewed", "client"):
            self.sign(name)
        self.sign("rsa", kind=RSA)
        self.sign("intruder", authority="stranger")
        self.openssl("pkey", "-in", "server.key", "-aes128", "-passout", "pass:x", "-out", "encrypted.key")
        (folder / "nothing.pem").write_text("nothing\n")

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def openssl(self, *arguments: str) -> str:
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == 0, (arguments, done.stderr)
        for key in self.folder.glob("*.key"):
            key.chmod(0o600)
        return done.stdout

    def request(self, name: str, kind=EC) -> None:
        self.openssl("req", "-new", "-newkey", *kind, "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                     "-out", f"{name}.csr")

    def sign(self, name: str, authority: str = "ca", kind=EC, names: str = NAMES) -> None:
        self.request(name, kind)
        (self.folder / "names").write_text(names + "\n")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
                     "-CAcreateserial", "-days", "20", "-extfile", "names", "-out", f"{name}.pem")

    def sign_expired(self, name: str) -> None:
        """One that was good in January 2020."""
        self.request(name)
        (self.folder / "ca.conf").write_text(CA_SECTION)
        (self.folder / "index").touch()
        (self.folder / "serial").write_text("1000\n")
        self.openssl("ca", "-config", "ca.conf", "-batch", "-notext", "-cert", "ca.pem", "-keyfile", "ca.key",
                     "-startdate", "20200101000000Z", "-enddate", "20200131120000Z", "-in", f"{name}.csr",
                     "-out", f"{name}.pem")

    def settings(self, name: str = "server", **changes: str) -> dict[str, str]:
        """`tls` of a listener."""
        return {"certificate": self.path(f"{name}.pem"), "key": self.path(f"{name}.key"), **changes}

    def install(self, name: str, target: str) -> None:
        """Puts the files of `name` in place of those of `target`, each in one step, as renewers do."""
        for suffix in (".key", ".pem"):
            fresh = self.folder / f"new{suffix}"
            fresh.write_bytes((self.folder / f"{name}{suffix}").read_bytes())
            fresh.chmod(0o600)
            os.replace(fresh, self.folder / f"{target}{suffix}")

    def client(self, certificate: str | None = None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """A client's context that trusts the authority and no other."""
        context = ssl.create_default_context(cafile=self.path("ca.pem"))
        if certificate:
            context.load_cert_chain(self.path(f"{certificate}.pem"), self.path(f"{certificate}.key"))
        if version:
            context.minimum_version = context.maximum_version = version
        return context
