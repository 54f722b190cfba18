# The project with its exact pins, and the command `ptuning`. Not built where it was written, for want of Docker: its
# commands are those of `make setup`. torch's wheel of the package index has CUDA in it, so that the image runs on a CPU
# and, with `docker run --gpus all`, on a GPU; another base with Python 3.11 to 3.13 is given by --build-arg BASE=...
#
#   docker build -t ptuning .
#   docker run -v "$PWD/results:/data/results" -v "$PWD/outputs:/data/outputs" ptuning run task=rte seed=1
ARG BASE=python:3.11-slim
FROM ${BASE}

RUN apt-get update \
 && apt-get install --yes --no-install-recommends git make \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /ptuning
COPY . .
RUN make setup VENV=/opt/venv PYTHON=python3
ENV PATH=/opt/venv/bin:$PATH

WORKDIR /data
ENTRYPOINT ["ptuning"]
CMD ["--help"]
