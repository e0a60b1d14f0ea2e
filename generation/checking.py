"""Read an uploaded checkpoint in a child: python -m generation.checking FILE

Says its card, or in one sentence what is wrong with it. Needs neither Django nor TensorFlow.
"""

import json
import sys

from training import checkpoint


def main(path):
    try:
        card = checkpoint.inspect(path)
    except checkpoint.CheckpointError as error:
        return {"event": "error", "message": str(error)}
    return {"event": "done", "card": card}


if __name__ == "__main__":
    json.dump(main(sys.argv[1]), sys.stdout)
    sys.stdout.write("\n")
