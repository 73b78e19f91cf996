/**
 * The arrows of docs/design.md, held by a program: every import in `src/` is parsed, and one that the design does not draw
 * fails. Adding an arrow means changing the design first.
 */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'

const root = dirname(import.meta.dirname)
const src = join(root, 'src')

/** From which folder to which: what a file may import beside its own folder, the seams and `error.ts`. */
const arrows: Record<string, readonly string[]> = {
  'error.ts': [],
  seams: [],
  protocol: [],
  client: ['protocol'],
  broker: ['protocol'],
  sinks: ['protocol/records'],
  formats: ['protocol/records'],
  app: ['client', 'formats', 'sinks', 'protocol'],
  lag: ['client', 'protocol'],
  // The page knows the monitor by its HTTP answers: their shapes and the words for them, and nothing else of it.
  dashboard: ['lag/api-types.ts', 'lag/sentences.ts'],
  testing: ['broker', 'sinks', 'protocol'],
  cli: ['app', 'lag', 'broker', 'client', 'sinks', 'protocol'],
  'index.ts': ['app', 'client', 'formats', 'sinks', 'protocol/records'],
}

/** `protocol` is pure: it turns bytes into values and knows of nothing that happens. */
// node:module: records/crc32c.ts loads an optional native checksum with it.
const pureImports = new Set(['node:module', 'node:zlib'])

interface Import {
  file: string
  target: string
}

export function importsOf(source: string): string[] {
  const found: string[] = []
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s(?:[^'"`;]*?\sfrom\s)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]|new URL\(\s*['"](\.[^'"]+)['"]/g
  for (const match of source.matchAll(pattern)) found.push((match[1] ?? match[2] ?? match[3])!)
  return found
}

function sourceImports(): Import[] {
  return globSync('**/*.{ts,tsx}', { cwd: src }).flatMap((file) =>
    importsOf(readFileSync(join(src, file), 'utf8')).map((target) => ({ file, target })),
  )
}

function layerOf(path: string): string {
  return path.split('/')[0]!
}

export function refusal({ file, target }: Import): string | undefined {
  const from = layerOf(file)
  const allowed = arrows[from]
  if (!allowed) return `src/${from} is no folder of the design`
  if (!target.startsWith('.')) {
    if (from === 'protocol' && target.startsWith('node:') && !pureImports.has(target))
      return `protocol is pure and may not import ${target}`
    return undefined
  }
  const to = relative(src, resolve(src, dirname(file), target))
  if (to.startsWith('..')) return to === '../package.json' ? undefined : `${target} leaves src/`
  const layer = layerOf(to)
  if (layer === from || layer === 'seams' || to === 'error.ts') {
    return from === 'protocol' && layer === 'seams' ? 'protocol is pure and may not import the seams' : undefined
  }
  return allowed.some((one) => to === one || to.startsWith(`${one}/`))
    ? undefined
    : `the design draws no arrow from ${from} to ${to}`
}

test('architecture: every import follows an arrow of the design', () => {
  const imports = sourceImports()
  assert.ok(imports.length > 50, 'the parser sees the imports')
  const refused = imports.flatMap((one) =>
    refusal(one) ? [`src/${one.file} imports ${one.target}: ${refusal(one)}`] : [],
  )
  assert.deepEqual(refused, [])
})

test('architecture: an arrow that the design does not draw is refused', () => {
  assert.match(
    refusal({ file: 'client/cluster.ts', target: '../broker/broker.ts' }) ?? '',
    /no arrow from client to broker/,
  )
  assert.match(refusal({ file: 'protocol/frame.ts', target: 'node:net' }) ?? '', /pure/)
  assert.match(refusal({ file: 'protocol/frame.ts', target: '../seams/clock.ts' }) ?? '', /pure/)
  assert.match(refusal({ file: 'sinks/file.ts', target: '../protocol/frame.ts' }) ?? '', /no arrow/)
  assert.equal(refusal({ file: 'sinks/file.ts', target: '../protocol/records/consumer-record.ts' }), undefined)
  assert.deepEqual(importsOf("import { a } from './a.ts'\nexport * from './b.ts'\nconst c = await import('./c.ts')"), [
    './a.ts',
    './b.ts',
    './c.ts',
  ])
})

test('architecture: every folder that the design names exists, or its issue is still open', () => {
  for (const folder of ['protocol', 'client', 'broker', 'formats', 'sinks', 'app', 'cli', 'testing', 'seams']) {
    assert.ok(existsSync(join(src, folder)), `src/${folder}`)
  }
})
