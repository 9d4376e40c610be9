# The gateway: HTTP on 8080, gRPC on 50051. Context: the repository's root.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /pawsight
WORKDIR /source
COPY LICENSE README.md constraints.txt pyproject.toml ./
COPY client client
COPY export export
COPY serving serving
COPY training training
RUN /pawsight/bin/pip install --constraint constraints.txt '.[serving,triton]'

FROM python:${PYTHON}
RUN useradd --system --uid 10001 pawsight
COPY --from=build /pawsight /pawsight
COPY model_repository /model_repository
# The root file system may be read-only: only /tmp is written to.
ENV PATH=/pawsight/bin:$PATH MPLCONFIGDIR=/tmp PYTHONUNBUFFERED=1
WORKDIR /
USER 10001
EXPOSE 8080 50051
# Red until a real inference has passed, and again when the engine fails.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=2 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
ENTRYPOINT ["pawsight", "serve"]
CMD ["--http", "0.0.0.0:8080", "--grpc", "0.0.0.0:50051"]
