# All of rsfuse in a container, training and export included; Dockerfile.runtime is the small one that only runs.
# On a GPU machine: docker run --gpus all -v "$PWD:/data" rsfuse predict scene.tif --sar sar.tif
FROM python:3.11-slim

# rasterio's wheel brings its own GDAL; gdal-bin is for the programs that rsfuse runs beside it
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gdal-bin \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /src
COPY . .
RUN pip install --no-cache-dir --root-user-action=ignore '.[full]' \
    && rm -rf /src/*

RUN useradd --create-home --uid 1000 rsfuse
USER rsfuse
WORKDIR /data

ENTRYPOINT ["rsfuse"]
CMD ["--help"]
