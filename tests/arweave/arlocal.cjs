// A gateway of Arweave on loopback: arlocal, over SQLite in WebAssembly, so that nothing is compiled when
// it is installed.
//
// usage: node arlocal.cjs PORT FOLDER

const Module = require("node:module");
const path = require("node:path");
const { rmSync } = require("node:fs");
const { Database } = require("node-sqlite3-wasm");

// The part of the package sqlite3 that is used here.
class Sqlite {
  constructor(file, _flags, done) {
    this.database = new Database(file);
    setImmediate(done, null);
  }

  all(sql, values, done) {
    this.#do((it) => it.all(sql, plain(values)), done);
  }

  run(sql, values, done) {
    this.#do((it) => it.run(sql, plain(values)), done);
  }

  close(done) {
    this.#do((it) => it.close(), done);
  }

  #do(what, done) {
    let [error, result] = [null];
    try {
      result = what(this.database);
    } catch (caught) {
      error = caught;
    }
    const context = { changes: result?.changes, lastID: Number(result?.lastInsertRowId) };
    setImmediate(() => done.call(context, error, result));
  }
}

// What SQLite stores: no undefined, no Date, no object.
function plain(values = []) {
  return values.map((value) => {
    if (value === undefined) return null;
    if (value instanceof Date) return value.getTime();
    const isPlain = value === null || typeof value !== "object" || ArrayBuffer.isView(value);
    return isPlain ? value : JSON.stringify(value);
  });
}

const load = Module._load;
Module._load = function (name, ...rest) {
  if (name === "sqlite3") return { Database: Sqlite, OPEN_READWRITE: 2, OPEN_CREATE: 4 };
  return load.call(this, name, ...rest);
};

const ArLocal = require("arlocal").default;
const [port, folder] = process.argv.slice(2);
// A process that was killed leaves its lock behind.
rmSync(path.join(folder, "db.sqlite.lock"), { recursive: true, force: true });
new ArLocal(Number(port), false, path.resolve(folder), true).start();
process.on("SIGTERM", () => process.exit(0));
