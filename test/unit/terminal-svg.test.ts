import { expect, it } from 'vitest'
import { terminalSvg } from '../docs/svg.js'

const texts = (svg: string): string[] => svg.split('\n').filter((line) => line.startsWith('<text'))

it('a line becomes text at its cells, with the look of each part', () => {
  const svg = terminalSvg(
    'a <title>',
    ['\u001b[1mname\u001b[22m  \u001b[36m━━\u001b[39m\u001b[2m──\u001b[0m & 映 <b>'],
    40,
  )
  expect(svg).toContain('<title>a &lt;title&gt;</title>')
  expect(texts(svg)).toEqual([
    '<text x="18" y="54" textLength="33.6" font-weight="bold">name</text>',
    '<text x="68.4" y="54" textLength="16.8" fill="#89dceb">━━</text>',
    '<text x="85.2" y="54" textLength="16.8" opacity="0.6">──</text>',
    '<text x="110.4" y="54" textLength="67.2">&amp; 映 &lt;b&gt;</text>',
  ])
})

it('a look goes on over the end of a line, gaps are no text, and no control gets in', () => {
  const svg = terminalSvg('t', ['\u001b[31ma     b', 'c\u0007\u001b[39md'], 20)
  expect(
    texts(svg).map((text) => [
      / x="([\d.]+)"/.exec(text)?.[1],
      text.includes('fill'),
      />(.*)</.exec(text)?.[1],
    ]),
  ).toEqual([
    ['18', true, 'a'],
    ['68.4', true, 'b'],
    ['18', true, 'c'],
    ['26.4', false, 'd'],
  ])
  expect(svg).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/)
})
