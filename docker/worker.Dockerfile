# The image of Beam's Python workers, and of the launcher: Beam's own image with this project.
#
#   docker build --file docker/worker.Dockerfile --tag corpusmill-worker:0.1.0-beam2.77.0-py3.11 .
#
# The tag ends in the versions of Beam and Python, by which a launch is checked (docker/README.md).

# Stage 1: compile. It begins from the same image, so the system's libraries are the same.
FROM apache/beam_python3.11_sdk:2.77.0 AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils g++ make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY docker/build_worker.sh docker/versions.txt docker/
COPY pipelines/__init__.py pipelines/
COPY pipelines/setup pipelines/setup
COPY tokenizer/__init__.py tokenizer/errors.py tokenizer/
RUN docker/build_worker.sh tools /build
RUN docker/build_worker.sh packages /build
COPY pyproject.toml README.md LICENSE ./
COPY filters filters
COPY mixtures mixtures
COPY pipelines pipelines
COPY tokenizer tokenizer
COPY trainer trainer
RUN docker/build_worker.sh wheel /build

# Stage 2: the image. Nothing is compiled or fetched here.
FROM apache/beam_python3.11_sdk:2.77.0
LABEL org.opencontainers.image.title="corpusmill-worker" \
    org.opencontainers.image.licenses="Apache-2.0"
# Beam's entrypoint starts the `python` of the PATH, and with the second variable it makes no other
# environment of its own. The third is where lmplz, build_binary and the small model are found.
ENV PATH=/opt/corpusmill/venv/bin:$PATH \
    RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1 \
    XDG_CACHE_HOME=/opt/corpusmill/cache
COPY --from=build /build/cache /opt/corpusmill/cache
COPY docker/build_worker.sh docker/check_worker.py docker/versions.txt /opt/corpusmill/docker/
RUN --mount=type=bind,from=build,source=/build,target=/build \
    /opt/corpusmill/docker/build_worker.sh install /build /opt/corpusmill/venv \
    && mkdir --parents /opt/corpusmill/models
# Models that workers read go to /opt/corpusmill/models, in an image on top of this one
# (docker/README.md, "Models"). The entrypoint stays Beam's: /opt/apache/beam/boot.
