"""The peers' runner: a command outside of the repository that times other runtimes.

It is called in these three ways, and prints JSON objects, a line each; more keys than these do no harm:

  COMMAND latency MODELS MODEL PEER BxS,BxS…    one forward pass of B sequences of S tokens, every token's last hidden
                                                state; a line for each shape: batch, tokens, median_ms
  COMMAND corpus MODELS MODEL PEER BATCH TSV    the texts of the second column, but for the first line, cut to 256
                                                tokens: tokens, tokens_per_s (without tokenizing), tokenize_s
  COMMAND cold MODELS MODEL PEER                one forward pass at 1x32; what it prints does not matter: this process
                                                is timed from its start to its end

MODELS is a folder with the models, MODEL is "base" (12 layers, 768 wide) or "rbt3" (3, 768), and PEER a name that the
runner knows, such as "openvino". Both programs should use the same number of threads.
"""

import shlex

from lib import process

ONE_THREAD = {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}  # Hugging Face's tokenizers; no runtime's


class Peers:
    def __init__(self, command, models, limit_s):
        self.words = shlex.split(command)
        self.models, self.limit_s = models, limit_s

    def run(self, *words):
        return process.run([*self.words, words[0], self.models, *words[1:]], self.limit_s, ONE_THREAD)

    def latency(self, model, peer, shapes):
        """{shape: median ms} of each shape."""
        lines = process.json_lines(self.run("latency", model, peer, ",".join(f"{b}x{s}" for b, s in shapes)).out)
        found = {}
        for line in lines:
            shape = (process.number_of(line, "batch"), process.number_of(line, "tokens"))
            found[shape] = process.number_of(line, "median_ms")
        for batch, length in shapes:
            if (batch, length) not in found:
                raise process.Failure(f"found no line of {batch}x{length}, expected one a shape")
        return found

    def corpus(self, model, peer, batch, tsv):
        """Tokens, tokens a second, and the seconds that tokenizing took on one thread."""
        lines = process.json_lines(self.run("corpus", model, peer, str(batch), tsv).out)
        if len(lines) != 1:
            raise process.Failure(f"found {len(lines)} lines, expected one")
        return [process.number_of(lines[0], key) for key in ("tokens", "tokens_per_s", "tokenize_s")]

    def start(self, model, peer):
        """A fresh process: seconds, and the most memory that was resident."""
        ended = self.run("cold", model, peer)
        return ended.seconds, ended.peak_bytes
