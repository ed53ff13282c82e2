# The image of the trainer: CUDA, PyTorch, flash-attention.
#
#   docker build --file docker/trainer.Dockerfile --tag corpusmill-trainer:0.1.0 .
#
# CUDA and the index of PyTorch belong together (13.0, cu130), and PyTorch is in the range of the
# project's extra `trainer`. flash-attention is compiled for the architectures that are named.

ARG CUDA=13.0.1

# Stage 1: compile flash-attention against this very PyTorch. It takes an hour on 16 cores, and
# about 4 GB of memory per job.
FROM nvidia/cuda:${CUDA}-devel-ubuntu24.04 AS build
ARG TORCH=2.13.0
ARG TORCH_INDEX=https://download.pytorch.org/whl/cu130
ARG FLASH_ATTN=2.8.3.post2
# 80: A100; 90: H100 and H200. Each one more takes as long again.
ARG FLASH_ATTN_CUDA_ARCHS="80;90"
ARG MAX_JOBS=8
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/corpusmill/venv
ENV PATH=/opt/corpusmill/venv/bin:$PATH \
    PIP_NO_CACHE_DIR=1
RUN pip install --index-url "${TORCH_INDEX}" "torch==${TORCH}"
RUN pip install ninja==1.13.2 packaging==25.0 setuptools==80.9.0 wheel==0.45.1
RUN FLASH_ATTENTION_FORCE_BUILD=TRUE FLASH_ATTN_CUDA_ARCHS="${FLASH_ATTN_CUDA_ARCHS}" \
    MAX_JOBS="${MAX_JOBS}" \
    pip install --no-build-isolation --no-deps "flash-attn==${FLASH_ATTN}"
WORKDIR /src
# What the trainer, the tokenizer and the mixtures import. The pipelines' own packages are left out:
# not all of them are published for this Python.
COPY docker/versions.txt docker/
RUN pip install --constraint docker/versions.txt cyclopts docstring_parser einops==0.8.2 matplotlib numpy pyarrow \
    safetensors==0.8.0 sentencepiece
COPY pyproject.toml README.md LICENSE ./
COPY filters filters
COPY mixtures mixtures
COPY pipelines pipelines
COPY tokenizer tokenizer
COPY trainer trainer
RUN pip install --no-deps .

# Stage 2: the image, without the CUDA compiler. PyTorch brings CUDA's libraries; the C compiler and
# Python's headers are for Triton, which compiles kernels when training begins.
FROM nvidia/cuda:${CUDA}-base-ubuntu24.04
LABEL org.opencontainers.image.title="corpusmill-trainer" \
    org.opencontainers.image.licenses="Apache-2.0"
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
ENV PATH=/opt/corpusmill/venv/bin:$PATH
COPY --from=build /opt/corpusmill/venv /opt/corpusmill/venv
WORKDIR /work
ENTRYPOINT ["torchrun"]
CMD ["--help"]
