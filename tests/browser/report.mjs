// Counts checks and says which failed.

export class Report {
  passed = 0;
  failed = 0;

  check(what, holds, detail = "") {
    if (holds) {
      this.passed += 1;
    } else {
      this.failed += 1;
      console.log(`FAILED ${what}: ${detail}`);
    }
  }

  equal(what, found, expected) {
    this.check(what, found === expected, `${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`);
  }

  // Runs one part; an exception is a failure and does not stop the rest.
  async run(name, part) {
    const [start, before] = [Date.now(), this.failed];
    try {
      await part();
    } catch (error) {
      this.failed += 1;
      console.log(`FAILED ${name}: ${error.stack}`);
    }
    const state = this.failed === before ? "ok" : "FAILED";
    console.log(`${state.padEnd(6)} ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
  }

  // Prints the closing line; the exit code.
  close() {
    console.log(`${this.passed} passed, ${this.failed} failed`);
    return this.passed > 0 && this.failed === 0 ? 0 : 1;
  }
}
