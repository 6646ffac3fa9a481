/** `npm run docs`: writes the documents that are made from the code. test/unit/docs.test.ts fails where one is behind. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { made } from './made.js'

for (const [file, text] of await made()) {
  writeFileSync(join(import.meta.dirname, '../..', file), text)
  console.log(`written: ${file}`)
}
