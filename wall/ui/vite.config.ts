import { defineConfig } from "vite";
import { live } from "./dev/mock.mjs";

export default defineConfig({
  base: "./",
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    rollupOptions: { input: ["index.html", "login.html"] },
    assetsInlineLimit: 0, // the wall's content security policy allows no data: addresses
    modulePreload: { polyfill: false },
    target: ["chrome107", "firefox104", "safari16"],
    reportCompressedSize: false,
  },
  plugins: [{ name: "mock", configureServer: (server) => void server.middlewares.use("/api/v1/live", live) }],
});
