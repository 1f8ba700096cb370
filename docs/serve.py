"""Serves an exported classifier over HTTP on this machine: python docs/serve.py FOLDER/onnx/model_int8.onnx [PORT]

It needs onnxruntime and transformers' tokenizers, and neither torch nor this project. POST a JSON list of texts, or of
pairs of texts; the answer is a list with the class of each and its probability.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from transformers import AutoTokenizer

HOST, PORT = "127.0.0.1", 8000


class Classifier:
    """A graph with its tokenizer and the names of its classes, which lie in the folder above it."""

    def __init__(self, file: Path) -> None:
        folder = file.parents[1]
        self.session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        self.columns = [column.name for column in self.session.get_inputs()]
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self.classes: dict[str, str] = json.loads((folder / "config.json").read_text())["id2label"]

    def __call__(self, texts: list[Any]) -> list[dict[str, Any]]:
        """The likeliest class of each text or pair, with its probability."""
        pairs = [text if isinstance(text, list) else [text] for text in texts]
        tokens = self.tokenizer(
            *map(list, zip(*pairs, strict=True)), padding=True, truncation=True, return_tensors="np"
        )
        (logits,) = self.session.run(["logits"], {name: tokens[name] for name in self.columns})
        exponentials = np.exp(logits - logits.max(-1, keepdims=True))
        shares = exponentials / exponentials.sum(-1, keepdims=True)
        return [
            {"class": self.classes[str(each.argmax())], "probability": round(float(each.max()), 4)} for each in shares
        ]


def server(file: Path, port: int = PORT) -> HTTPServer:
    """A server that answers with the classifier of the file; it is yet to be started."""
    classify = Classifier(file)

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(classify(texts)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return HTTPServer((HOST, port), Answers)


if __name__ == "__main__":
    served = server(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else PORT)
    print(f"http://{HOST}:{served.server_port}", flush=True)
    served.serve_forever()
