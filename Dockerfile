# A static program and the certificates to talk TLS with, nothing else: no shell, no root, nothing to write to.
#
#   docker build -t vault-advisor --build-arg COMMIT="$(git rev-parse HEAD)" .
#   docker run --rm --read-only --network none --user "$(id -u):$(id -g)" -v "$PWD:/work" vault-advisor \
#     advise --logs audit.log.gz --policies policies --out report

# The tag says what it is, the digest which one: `.github/dependabot.yml` proposes the next.
FROM rust:1.95-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082 AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates cmake make musl-tools \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Cargo.toml Cargo.lock build.rs ./
COPY benches benches
COPY examples examples
COPY docs/rules docs/rules
COPY src src
ARG COMMIT=
RUN target="$(uname -m)-unknown-linux-musl" \
    && rustup target add "$target" \
    && VAULT_ADVISOR_COMMIT="$COMMIT" cargo build --release --locked --features object-storage --bin vault-advisor --target "$target" \
    && strip -o /vault-advisor "target/$target/release/vault-advisor"

FROM scratch
LABEL org.opencontainers.image.title="vault-advisor" \
      org.opencontainers.image.description="Least-privilege advice for Vault and OpenBao policies" \
      org.opencontainers.image.licenses="MPL-2.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /vault-advisor /usr/bin/vault-advisor
COPY LICENSE /usr/share/doc/vault-advisor/LICENSE
USER 65532:65532
WORKDIR /work
ENTRYPOINT ["/usr/bin/vault-advisor"]
