# The targets `gateway` (HTTP on 8080, gRPC on 50051) and `explainer` (the sidecar, gRPC on 50052).
# Context: the repository's root.
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

FROM python:${PYTHON} AS serving
RUN useradd --system --uid 10001 pawsight
COPY --from=build /pawsight /pawsight
COPY model_repository /model_repository
# The root file system may be read-only: only /tmp is written to.
ENV PATH=/pawsight/bin:$PATH MPLCONFIGDIR=/tmp PYTHONUNBUFFERED=1
WORKDIR /
USER 10001

# Both are red until a real inference has passed, and again when the engine fails.
FROM serving AS explainer
EXPOSE 50052
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=2 \
    CMD ["python", "-c", "import grpc, grpc_health.v1.health_pb2 as m, grpc_health.v1.health_pb2_grpc as s; assert s.HealthStub(grpc.insecure_channel('127.0.0.1:50052')).Check(m.HealthCheckRequest(), timeout=2).status == 1"]
ENTRYPOINT ["pawsight", "explainer"]
CMD ["--grpc", "0.0.0.0:50052"]

FROM serving AS gateway
EXPOSE 8080 50051
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=2 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
ENTRYPOINT ["pawsight", "serve"]
CMD ["--http", "0.0.0.0:8080", "--grpc", "0.0.0.0:50051"]
