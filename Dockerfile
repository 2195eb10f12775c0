# The daemon and the command line, compiled. Build: docker build -t rekindle .
FROM node:24.21-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY workers workers
RUN npm run build

FROM node:24.21-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev

FROM node:24.21-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json ./
COPY schemas schemas
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
# The warm tier: the only place that is written to. Mount a volume there that outlives the container.
RUN install -d -o 1000 -g 1000 /var/lib/rekindle
ENV REKINDLE_DATA_DIR=/var/lib/rekindle
# What SQLite puts aside for a moment: elsewhere the file system may be read-only.
ENV SQLITE_TMPDIR=/var/lib/rekindle
VOLUME /var/lib/rekindle
# The user `node` of the base image; by number, so that Kubernetes can tell that it is not root.
USER 1000
# Only inside the container; whoever publishes the port sets REKINDLE_HTTP=0.0.0.0:8787.
ENV REKINDLE_HTTP=127.0.0.1:8787
EXPOSE 8787
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8787/live').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# As in package.json: see Memory in docs/operations.md.
ENTRYPOINT ["node", "--max-semi-space-size=8", "--initial-old-space-size=64", "dist/src/cli/main.js"]
CMD ["daemon"]
