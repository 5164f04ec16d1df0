// A page of another origin in a browser, as far as jsdom is one: XMLHttpRequest keeps the rules of CORS there. `fetch` is
// that of Node.js, which does not.
import { readFileSync } from 'node:fs'
import { JSDOM, VirtualConsole } from 'jsdom'

export const errors = []

const virtualConsole = new VirtualConsole()
for (const level of ['error', 'warn', 'jsdomError']) {
  virtualConsole.on(level, (...said) => errors.push(said.map((part) => part?.message ?? part).join(' ')))
}
const { window } = new JSDOM('<!doctype html><html><head><script></script></head><body></body></html>', {
  url: 'https://shop.example/cart',
  runScripts: 'outside-only',
  pretendToBeVisual: true,
  resources: 'usable',
  virtualConsole,
})
window.fetch = (url, options) => fetch(String(url), { ...options, signal: undefined })
for (const name of ['Headers', 'Request', 'Response', 'TextEncoder', 'CompressionStream', 'ReadableStream']) {
  window[name] ??= globalThis[name]
}
window.addEventListener('error', (event) => errors.push(event.message))

export { window }

// Runs a bundle that an SDK publishes for browsers.
export function load(bundle) {
  window.eval(readFileSync(new URL(`../node_modules/${bundle}`, import.meta.url), 'utf8'))
}

export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds))
