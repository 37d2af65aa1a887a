"""Entry point of the engine: the session by default, `main.py worker` for the process that holds the model."""

import sys

if __name__ == "__main__":
    command = sys.argv[1] if len(sys.argv) > 1 else "session"
    if command == "worker":
        from pawl_lm_eval.worker import main
    elif command in ("freeze", "check"):
        from pawl_lm_eval.freeze import main
    else:
        from pawl_lm_eval.session import main
    sys.exit(main(sys.argv[1:]))
