FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY dev/copy-assets.mjs dev/
COPY src src
RUN npm run build

FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev

FROM node:24-slim
ENV NODE_ENV=production
# Others can reach a container, so nobody is served without a key.
ENV HOST=0.0.0.0 ACCESS=closed
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./
COPY migrations migrations
USER node
EXPOSE 3000
CMD ["node", "--enable-source-maps", "dist/main.js", "serve"]
