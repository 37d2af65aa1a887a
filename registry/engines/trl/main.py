"""Entry point of the engine: the session by default, `main.py worker` for the process that holds the model."""

import sys

if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        from pawl_trl.worker import main
    else:
        from pawl_trl.session import main
    sys.exit(main(sys.argv[2:] if sys.argv[1:2] == ["worker"] else sys.argv[1:]))
