"""One of several worker processes; see `fleet`."""

from pawsight_serving.gateway.worker import main

if __name__ == "__main__":
    main()
