"""Broken pictures and broken tensors against a real gateway: no 5xx, no hang, no growing memory.

    python -m benchmarks.fuzz [--seconds 600] [--seed 0] [--repository model_repository]

Whole requests of every kind are mutated: bytes flipped, cut, doubled, spliced, lengths changed.
What fails is written to `--failures`, one file an input, and the exit status is 1. The same seed
gives the same inputs, in an order that depends on the threads.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import random
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
import httpx
from PIL import Image
from tritonclient.grpc import service_pb2 as oip
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from benchmarks.served import gateway, resident_mib
from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import PawsightStub

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.served import Gateway

THREADS: Final = 4
HANG_S: Final = 20.0
START_S: Final = 60.0
# What a process may grow by once it has seen every kind of input for a while.
GROWTH_MIB: Final = 64.0
OVERLOADED: Final = {429, grpc.StatusCode.RESOURCE_EXHAUSTED}
FAILED: Final = {
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}


@dataclass
class Findings:
    """What came back, and what should not have."""

    folder: Path
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, way: str, outcome: object, sent: bytes, *, failed: bool) -> None:
        """Count an outcome, and keep the input of one that should not be."""
        with self.lock:
            self.outcomes[f"{way} {outcome}"] += 1
            if failed:
                self.folder.mkdir(parents=True, exist_ok=True)
                path = self.folder / f"{way}-{len(self.failures)}.bin"
                path.write_bytes(sent)
                self.failures.append(f"{way}: {outcome}, see {path}")


def main() -> None:
    """Fuzz for a while, and say what was found."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=600)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--repository", default="model_repository")
    arguments.add_argument("--failures", type=Path, default=Path("fuzz-failures"))
    options = arguments.parse_args()

    findings = Findings(options.failures)
    with gateway("--repository", options.repository) as served:
        before = sound(served)
        wait_for_the_sidecar(served)
        ends_s = time.monotonic() + options.seconds
        threads = [
            threading.Thread(target=fuzz, args=(served, random.Random(seed), ends_s, findings))
            for seed in range(options.seed * THREADS, (options.seed + 1) * THREADS)
        ]
        for thread in threads:
            thread.start()
        time.sleep(options.seconds / 3)
        pids = [served.process.pid, served.sidecar()]
        memories_mib = [resident_mib(pid) for pid in pids]
        for thread in threads:
            thread.join()
        for pid, before_mib in zip(pids, memories_mib, strict=True):
            grown = resident(pid) - before_mib
            print(f"process {pid}: {before_mib:.0f} MiB after a third, {grown:+.0f} MiB at the end")
            if grown > GROWTH_MIB:
                findings.failures.append(f"process {pid} has grown by {grown:.0f} MiB")
        if sound(served) != before:
            findings.failures.append("a good picture is answered otherwise than before")
    for outcome, count in sorted(findings.outcomes.items()):
        print(f"{count:8} {outcome}")
    print(f"{findings.outcomes.total()} requests, {len(findings.failures)} failures")
    print(*findings.failures[:20], sep="\n")
    sys.exit(bool(findings.failures))


def resident(pid: int) -> float:
    """Return a process's memory; far too much where it has ended, which it must not."""
    try:
        return resident_mib(pid)
    except FileNotFoundError:
        return 1e6


def sound(served: Gateway) -> Any:
    """Return what the gateway says of a good picture."""
    url = f"http://{served.http}/v1/models/{served.models[0]}:predict"
    return httpx.post(url, content=encoded("JPEG"), timeout=HANG_S).json()["predictions"]


def wait_for_the_sidecar(served: Gateway) -> None:
    """Return once a good picture is explained; until then a 503 is right."""
    url = f"http://{served.http}/v1/models/{served.models[0]}:explain"
    ends_s = time.monotonic() + START_S
    while (status := httpx.post(url, content=encoded("JPEG"), timeout=HANG_S).status_code) != 200:
        if time.monotonic() > ends_s:
            raise SystemExit(f"A good picture is not explained: {status}.")
        time.sleep(0.1)


def fuzz(served: Gateway, rng: random.Random, ends_s: float, findings: Findings) -> None:
    """Send mutated requests until the end."""
    model = served.models[0]
    with (
        httpx.Client(base_url=f"http://{served.http}", timeout=HANG_S) as http,
        grpc.insecure_channel(served.grpc) as channel,
    ):
        ways: dict[str, Callable[[], tuple[Any, bytes]]] = {
            "predict": lambda: over_http(http, f"/v1/models/{model}:predict", picture(rng)),
            "explain": lambda: over_http(http, f"/v1/models/{model}:explain", picture(rng)),
            "multipart": lambda: over_http(http, f"/v1/models/{model}:predict", *multipart(rng)),
            "instances": lambda: over_http(http, f"/v1/models/{model}:predict", *instances(rng)),
            "v2": lambda: over_http(http, f"/v2/models/{model}/infer", *tensors(rng)),
            "grpc": lambda: over_grpc(
                PawsightStub(channel).Predict, pb.PredictRequest(model=model, images=[picture(rng)])
            ),
            "v2-grpc": lambda: over_grpc(
                GRPCInferenceServiceStub(channel).ModelInfer, tensor_message(rng, model)
            ),
        }
        while time.monotonic() < ends_s and len(findings.failures) < 20:
            way = rng.choice(list(ways))
            outcome, sent = ways[way]()
            failed = outcome in FAILED or (isinstance(outcome, int) and outcome >= 500)
            findings.note(way, outcome, sent, failed=failed)


def over_http(
    http: httpx.Client, path: str, body: bytes, headers: dict[str, str] | None = None
) -> tuple[Any, bytes]:
    """Return the status, or what went wrong instead of one."""
    try:
        return http.post(path, content=body, headers=headers or {}).status_code, body
    except httpx.RemoteProtocolError:
        return "closed", body
    except httpx.HTTPError:
        return 599, body


def over_grpc(method: Any, request: Any) -> tuple[Any, bytes]:
    """Return the status."""
    try:
        method(request, timeout=HANG_S)
    except grpc.RpcError as error:
        code: Any = error
        return code.code(), request.SerializeToString()
    return grpc.StatusCode.OK, b""


def encoded(kind: str, mode: str = "RGB") -> bytes:
    """Return a good picture."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((40, 30)).convert(mode).save(file, kind)
    return file.getvalue()


GOOD: Final = [
    encoded(kind, mode)
    for kind, modes in {
        "JPEG": ("RGB", "L", "CMYK"),
        "PNG": ("RGB", "RGBA", "P", "LA", "I;16", "1"),
        "WEBP": ("RGB", "RGBA"),
        "GIF": ("P",),
        "BMP": ("RGB", "1"),
        "TIFF": ("RGB", "F", "I", "CMYK"),
    }.items()
    for mode in modes
]


def picture(rng: random.Random) -> bytes:
    """Return a picture that was good before it was mutated."""
    return mutated(rng, rng.choice(GOOD))


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Return the bytes with a few changes; one in ten is left as it is."""
    changed = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 2, 3, 5, 8, 13, 40, 1))):
        at = rng.randrange(len(changed) + 1)
        end = min(len(changed), at + rng.choice((1, 2, 4, 16, 200)))
        match rng.randrange(7):
            case 0:
                changed[at:end] = rng.randbytes(end - at)
            case 1:
                del changed[at:end]
            case 2:
                changed[at:at] = changed[at:end] * rng.choice((1, 2, 50))
            case 3:
                changed[at:end] = rng.choice((b"\xff", b"\x00", b"\x7f", b"\x80")) * (end - at)
            case 4:
                other = rng.choice(GOOD)
                changed[at:end] = other[rng.randrange(len(other)) :][:200]
            case 5:
                del changed[at:]
            case _:
                if at < len(changed):
                    changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed)


def multipart(rng: random.Random) -> tuple[bytes, dict[str, str]]:
    """Return a form of a few pictures, mutated at times, and its headers."""
    parts = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="f"\r\n\r\n'
        + picture(rng)
        + b"\r\n"
        for _ in range(rng.randrange(4))
    )
    body = parts + b"--b--\r\n"
    body = mutated(rng, body) if rng.random() < 0.5 else body
    return body, {"content-type": "multipart/form-data; boundary=b"}


def instances(rng: random.Random) -> tuple[bytes, dict[str, str]]:
    """Return JSON of a few pictures, mutated at times, and its headers."""
    sent = [{"b64": base64.b64encode(picture(rng)).decode()} for _ in range(rng.randrange(4))]
    body = json.dumps({"instances": sent}).encode()
    return mutated(rng, body) if rng.random() < 0.5 else body, {"content-type": "application/json"}


def tensors(rng: random.Random) -> tuple[bytes, dict[str, str]]:
    """Return a body of the Open Inference Protocol with its binary tensors, and its headers."""
    pictures = [picture(rng) for _ in range(rng.randrange(1, 4))]
    raw = b"".join(len(each).to_bytes(4, "little") + each for each in pictures)
    image: dict[str, Any] = {"name": "image", "datatype": "BYTES", "shape": [len(pictures)]}
    if rng.random() < 0.5:
        raw = b""
        image["data"] = [base64.b64encode(each).decode() for each in pictures]
    else:
        image["parameters"] = {"binary_data_size": len(raw) + rng.choice((0, 0, 0, 1, -1))}
    if rng.random() < 0.2:
        image |= {"datatype": "UINT8", "shape": [1, 8, 8, 3], "data": [rng.choice((0, 300, "x"))]}
    head = json.dumps({"inputs": [image]}).encode()
    head = mutated(rng, head) if rng.random() < 0.4 else head
    length = len(head) + rng.choice((0, 0, 0, 0, 1, -1, 10**9))
    return head + raw, {"inference-header-content-length": str(length)}


def tensor_message(rng: random.Random, model: str) -> oip.ModelInferRequest:
    """Return a message of the Open Inference Protocol whose contents are mutated."""
    pictures = [picture(rng) for _ in range(rng.randrange(4))]
    raw = b"".join(len(each).to_bytes(4, "little") + each for each in pictures)
    image = oip.ModelInferRequest.InferInputTensor(
        name=rng.choice(("image", "image", "image", "")),
        datatype=rng.choice(("BYTES", "BYTES", "UINT8", "FP32", "")),
        shape=rng.choice(([len(pictures)], [1, 8, 8, 3], [-1], [2**62, 8, 8, 3], [])),
    )
    request = oip.ModelInferRequest(model_name=model, inputs=[image])
    if rng.random() < 0.5:
        request.raw_input_contents.append(mutated(rng, raw))
    else:
        request.inputs[0].contents.bytes_contents.extend(pictures)
        request.inputs[0].contents.uint_contents.extend(rng.choices(range(300), k=192))
    return request


if __name__ == "__main__":
    main()
