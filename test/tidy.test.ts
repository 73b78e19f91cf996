/**
 * What a program can check of how Sluice reads: sizes, names, seams, headers. The sizes are a ratchet: what is over the limit stands in
 * `tidy-ratchet.json` with its size, may shrink (then lower the number there) and never grow.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { test } from 'node:test'

const root = dirname(import.meta.dirname)
const FILE_LINES = 600
const FUNCTION_LINES = 70
const ratchet = JSON.parse(readFileSync(join(import.meta.dirname, 'tidy-ratchet.json'), 'utf8')) as {
  files: Record<string, number>
  functions: Record<string, number>
}

const sources = globSync('src/**/*.{ts,tsx}', { cwd: root }).sort()
const everything = globSync('{src,test,bench,examples,scripts}/**/*.{ts,tsx,js}', { cwd: root }).sort()
const read = (file: string) => readFileSync(join(root, file), 'utf8')

/** A source without its comments and strings, so that prose may say `setTimeout`. */
export function codeOf(source: string): string {
  return source
    .replaceAll(/\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, ' '))
    .replaceAll(/(^|[^:'"`\\])\/\/[^\n]*/g, '$1')
    .replaceAll(/'(?:[^'\\\n]|\\.)*'/g, "''")
    .replaceAll(/"(?:[^"\\\n]|\\.)*"/g, '""')
}

/** What only the seams may touch, and what to use instead. */
const seamOnly: readonly [pattern: RegExp, instead: string][] = [
  [/\bDate\.now\b/, 'clock.now()'],
  [/\bnew Date\(\)/, 'new Date(clock.now())'],
  [/\bperformance\.now\b/, 'clock.monotonic()'],
  [/\b(?:setTimeout|setInterval|setImmediate)\(/, 'clock.setTimer() or clock.yield()'],
  [/\bMath\.random\b/, 'random.next()'],
]
const seamModules = new Map([
  ['node:net', 'the transport'],
  ['node:tls', 'the transport'],
  ['node:fs', 'the disk'],
  ['node:fs/promises', 'the disk'],
])
/** Where a seam is opened for a reason that is written there. The command line reads its user's own files. */
const mayTouch = (file: string) =>
  file.startsWith('src/seams/') || (file.startsWith('src/cli/') && !file.startsWith('src/cli/lab/'))

test('tidy: clock, chance, transport and disk are touched in the seams only', () => {
  const found: string[] = []
  for (const file of sources) {
    if (file.startsWith('src/seams/')) continue
    const source = read(file)
    const code = codeOf(source)
    for (const [pattern, instead] of seamOnly)
      if (pattern.test(code)) found.push(`${file} uses ${pattern.source}: use ${instead}`)
    if (mayTouch(file)) continue
    for (const [module, instead] of seamModules)
      if (source.includes(`from '${module}'`)) found.push(`${file} imports ${module}: use ${instead}`)
  }
  assert.deepEqual(found, [])
})

/** Declarations that end with their scope: a syntax error on Node 22, on which the source runs too. */
const usingDeclaration = /(?:^|[;{(]|\bawait\s)\s*using\s+[A-Za-z_$][\w$]*\s*(?:=|:|of\b)/m

test('tidy: no `using` declaration, which Node 22 cannot parse', () => {
  const found = everything.filter((file) => usingDeclaration.test(codeOf(read(file))))
  assert.deepEqual(found, [], 'close in `finally`, or by `t.after`')
})

test('tidy: output goes through the logger, except on the command line', () => {
  const found = sources.filter((file) => !file.startsWith('src/cli/') && /\bconsole\.\w+\(/.test(codeOf(read(file))))
  assert.deepEqual(found, [])
})

test('tidy: no file is named for nothing', () => {
  const empty =
    /^(?:utils?|helpers?|managers?|common|misc|shared|types|constants)\.tsx?$|-(?:utils?|helpers?|manager|common)\.tsx?$/
  assert.deepEqual(
    everything.filter((file) => empty.test(basename(file))),
    [],
  )
  assert.deepEqual(
    everything.filter((file) => !/^[a-z0-9.-]+$/.test(basename(file))),
    [],
    'kebab-case',
  )
})

test('tidy: every source opens by saying why it is there', () => {
  const silent = sources.filter(
    (file) =>
      !/^(?:#![^\n]*\n)?(?:import[\s\S]*?\n)*\s*\/\*\*|^\s*(?:\/\/|\/\*\*)/.test(read(file)) ||
      read(file).indexOf('/**') > 3000,
  )
  assert.deepEqual(silent, [])
})

test('tidy: a file can be read in one sitting', () => {
  const over = Object.fromEntries(
    sources.map((file) => [file, read(file).split('\n').length - 1] as const).filter(([, lines]) => lines > FILE_LINES),
  )
  assertRatchet(over, ratchet.files, `${FILE_LINES} lines a file`)
})

test('tidy: a function fits on a screen', (t) => {
  const config = {
    plugins: [],
    categories: { correctness: 'off' },
    rules: { 'max-lines-per-function': ['error', { max: FUNCTION_LINES, skipComments: true, skipBlankLines: true }] },
  }
  const folder = mkdtempSync(join(tmpdir(), 'sluice-tidy-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'oxlint.json')
  writeFileSync(file, JSON.stringify(config))
  const report = JSON.parse(oxlint(['-c', file, '--format', 'json', 'src'])) as {
    diagnostics: { message: string; filename: string }[]
  }
  const over: Record<string, number> = {}
  for (const { message, filename } of report.diagnostics) {
    const found = /^The function(?: `([^`]+)`)? has too many lines \((\d+)\)/.exec(message)
    if (!found) continue
    const name = `${filename} ${found[1] ?? '(anonymous)'}`
    over[name] = Math.max(over[name] ?? 0, Number(found[2]))
  }
  assertRatchet(over, ratchet.functions, `${FUNCTION_LINES} lines a function`)
})

test('tidy: every test is one that some command runs, and none is switched off', () => {
  const tests = everything.filter((file) => file.startsWith('test/') && /\bfrom 'node:test'/.test(read(file)))
  const astray = tests.filter((file) => !/\.(?:test|compat)\.ts$/.test(file) && /^test\(/m.test(read(file)))
  assert.deepEqual(astray, [])
  const off = tests.filter((file) =>
    /\b(?:test|it|describe)\.(?:skip|only|todo)\b|\{\s*(?:skip|only|todo):/.test(codeOf(read(file))),
  )
  assert.deepEqual(off, [])
})

test('tidy: nothing waits for a fixed time in a test', () => {
  const bare = /^\s*await (?:sleep|delay|setTimeout|scheduler\.wait)\(\s*\d/m
  const found = everything.filter(
    (file) => file.startsWith('test/') && file !== 'test/support/until.ts' && bare.test(codeOf(read(file))),
  )
  assert.deepEqual(found, [])
})

test('tidy: one title a document, and the CHANGELOG has an entry for this version', () => {
  for (const file of globSync('{docs/**/*.md,*.md}', { cwd: root })) {
    const titles =
      read(file)
        .replaceAll(/```[\s\S]*?```/g, '')
        .match(/^# .+$/gm) ?? []
    assert.equal(titles.length, 1, `${file} has ${titles.length} titles`)
  }
  const { version } = JSON.parse(read('package.json')) as { version: string }
  assert.ok(read('CHANGELOG.md').includes(`## ${version}`))
})

test('tidy: the checks see what they look for', () => {
  for (const line of ['  await using a = b()', '{ using db: Database = open() }', 'for (using one of all) {}'])
    assert.ok(usingDeclaration.test(codeOf(line)), line)
  for (const line of ['// using a = b', 'const using = 1', 'using(one)', "test('await using a = b')"])
    assert.ok(!usingDeclaration.test(codeOf(line)), line)
  assert.ok(seamOnly[0]![0].test(codeOf('const now = Date.now()')))
  assert.ok(!seamOnly[0]![0].test(codeOf('// Date.now is for the seams\nconst text = "Date.now()"')))
  assert.throws(() => assertRatchet({ a: 5 }, { a: 4 }, 'limit'))
  assert.throws(() => assertRatchet({ a: 3 }, { a: 4 }, 'limit'), /lower/)
})

function assertRatchet(over: Record<string, number>, allowed: Record<string, number>, limit: string): void {
  for (const [name, lines] of Object.entries(over)) {
    assert.ok(
      lines <= (allowed[name] ?? 0),
      `${name} has ${lines} lines: ${limit}${allowed[name] ? `, ${allowed[name]} by the ratchet` : ''}`,
    )
  }
  for (const [name, lines] of Object.entries(allowed)) {
    assert.ok(
      (over[name] ?? 0) === lines,
      `${name} has shrunk to ${over[name] ?? `under ${limit}`}: lower its number in test/tidy-ratchet.json`,
    )
  }
}

function oxlint(args: readonly string[]): string {
  try {
    return execFileSync(process.execPath, [join(root, 'node_modules', 'oxlint', 'bin', 'oxlint'), ...args], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    })
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
}
