# Training and export: pictures in /data, runs in /runs. Context: the repository's root.
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
RUN /pawsight/bin/pip install --constraint constraints.txt '.[training,export]'

FROM python:${PYTHON} AS trainer
RUN useradd --system --uid 10001 pawsight \
    && install --directory --owner=pawsight /runs
COPY --from=build /pawsight /pawsight
# Decoded pictures are cached; a volume there outlives the container.
ENV PATH=/pawsight/bin:$PATH MPLCONFIGDIR=/tmp PYTHONUNBUFFERED=1 XDG_CACHE_HOME=/tmp
WORKDIR /runs
USER 10001
VOLUME /runs
# It serves nothing: it has done its work when it ends with status 0.
HEALTHCHECK NONE
ENTRYPOINT ["pawsight"]
CMD ["train", "--help"]
