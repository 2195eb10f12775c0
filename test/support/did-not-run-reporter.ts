import type { Reporter, TestCase, TestModule } from 'vitest/node';

const UNEXPLAINED = 'no reason given';

/**
 * Says at the end of a run what did not run and why, for a suite that is skipped in silence is as
 * good as a failed one: a skip without a reason fails the run. Closes with `N passed, N failed`
 * alone on a line, for programs.
 */
export class DidNotRun implements Reporter {
  #filtered = false;

  onInit(vitest: { getGlobalTestNamePattern: () => RegExp | undefined }): void {
    this.#filtered = vitest.getGlobalTestNamePattern() !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const skipped = this.#filtered ? [] : tests.filter((test) => test.result().state === 'skipped');
    // Files that could not be loaded, and suites whose hooks threw.
    const broken = modules
      .flatMap((module) => [module, ...module.children.allSuites()])
      .filter((suite) => suite.errors().length > 0).length;
    const passed = tests.filter((test) => test.result().state === 'passed').length;
    const failed = tests.filter((test) => test.result().state === 'failed').length;

    const failures = failed + broken + unhandled.length;

    const lines = skipped.map((test) => `  ${nameOf(test)}: ${reasonOf(test)}`);
    if (lines.length > 0) print(['Did not run:', ...lines, ''].join('\n'));
    // After a failed hook the tests behind it are skipped too: that is explained above.
    if (failures === 0 && skipped.some((test) => reasonOf(test) === UNEXPLAINED)) {
      print('A skipped test must say why: see test/support/did-not-run.ts\n');
      process.exitCode = 1;
    }

    const counts = [`${passed} passed`, `${failures} failed`];
    if (skipped.length > 0) counts.push(`${skipped.length} skipped`);
    print(counts.join(', '));
  }
}

function nameOf(test: TestCase): string {
  return `${test.module.relativeModuleId} > ${test.fullName}`;
}

function reasonOf(test: TestCase): string {
  const result = test.result();
  if (test.options.mode === 'todo') return 'to be written';
  return (result.state === 'skipped' ? result.note : undefined) ?? UNEXPLAINED;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
