// Builds the files that web sites load: `node activities/tracking/script/build.mjs [--check]`.
//
// A version is the number below and the digest of the built files, so a folder of `built/` never changes its content:
// pages name it with a digest of their own (subresource integrity). `--check` writes nothing and fails when what is
// committed differs from what the source gives.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { minify } from "terser";

const NUMBER = "1.0";
const PLACEHOLDER = "__VERSION__";
const FIRST_LINE = "//"; // gives way to the configuration, so that the source map holds with it, too
const ENTRIES = { s: "main.js", munchkin: "munchkin.js", debug: "debug.js" };

const room = dirname(fileURLToPath(import.meta.url));
const built = join(room, "built");

async function bundle() {
  const { outputFiles } = await build({
    absWorkingDir: room,
    entryPoints: Object.entries(ENTRIES).map(([out, name]) => ({ out, in: join("source", name) })),
    bundle: true,
    charset: "utf8",
    format: "iife",
    target: ["es2020"],
    sourcemap: "external",
    outdir: "out",
    write: false,
  });
  const files = [];
  for (const name of Object.keys(ENTRIES).sort()) {
    const text = (ending) => outputFiles.find(({ path }) => path.endsWith(join("out", name) + ending)).text;
    const { code, map } = await minify(text(".js"), {
      ecma: 2020,
      compress: { passes: 3, unsafe_arrows: true },
      format: { preamble: FIRST_LINE },
      sourceMap: { content: text(".js.map"), filename: `${name}.js`, url: `${name}.js.map`, includeSources: true },
    });
    files.push([`${name}.js`, `${code}\n`], [`${name}.js.map`, `${map}\n`]);
  }
  return files;
}

const digest = (algorithm, text, form) => createHash(algorithm).update(text).digest(form);

function describe(files) {
  const all = digest("sha256", files.map(([name, text]) => `${name}\n${text}`).join("\n"), "hex");
  const version = `${NUMBER}-${all.slice(0, 8)}`;
  const named = files.map(([name, text]) => [name, name.endsWith(".map") ? text : text.replaceAll(PLACEHOLDER, version)]);
  const scripts = named.filter(([name]) => name.endsWith(".js"));
  const integrity = Object.fromEntries(
    scripts.map(([name, text]) => [name, `sha384-${digest("sha384", text, "base64")}`]),
  );
  return [
    ...named.map(([name, text]) => [join(version, name), text]),
    ["current.json", `${JSON.stringify({ version, integrity }, null, 2)}\n`],
  ];
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

const files = describe(await bundle());
if (process.argv.includes("--check")) {
  const different = files.filter(([name, text]) => read(join(built, name)) !== text).map(([name]) => name);
  if (different.length) {
    console.error(`What is built differs from the source, run make tracker: ${different.join(", ")}`);
    process.exit(1);
  }
} else {
  const before = JSON.parse(read(join(built, "current.json")) ?? "{}").version;
  for (const [name, text] of files) {
    mkdirSync(dirname(join(built, name)), { recursive: true });
    writeFileSync(join(built, name), text);
  }
  const { version } = JSON.parse(read(join(built, "current.json")));
  // a version that was in a release stays, for the pages that name it: say so in built/released.txt
  const released = (read(join(built, "released.txt")) ?? "").split("\n");
  if (before && before !== version && !released.includes(before)) rmSync(join(built, before), { recursive: true });
  console.log(version);
}
