import { describe, expect, it } from 'vitest';
import { parseArguments, type OptionSpec } from '../../src/command/arguments.ts';

type Id = 'help' | 'format' | 'output' | 'object' | 'share' | 'quiet';

const SPECS: readonly OptionSpec<Id>[] = [
  { id: 'help', short: 'h', long: 'help' },
  { id: 'format', short: 'f', long: 'format', argument: true },
  { id: 'output', long: 'output', argument: true },
  { id: 'object', long: 'object', argument: true },
  { id: 'share', short: 'U', long: 'force-share' },
  { id: 'quiet', short: 'q' },
];

function parse(line: string, permute = true) {
  const words = line === '' ? [] : line.split(' ');
  const { options, operands, problem } = parseArguments(['info', ...words], SPECS, permute);
  return {
    options: options.map(({ id, value }) => (value === '' ? id : `${id}=${value}`)),
    operands,
    problem,
  };
}

describe('options', () => {
  it.each([
    ['', [], []],
    ['a', [], ['a']],
    ['-U a', ['share'], ['a']],
    ['-Uq a', ['share', 'quiet'], ['a']],
    ['-fraw a', ['format=raw'], ['a']],
    ['-f raw a', ['format=raw'], ['a']],
    ['-Ufraw a', ['share', 'format=raw'], ['a']],
    ['-Uf raw a', ['share', 'format=raw'], ['a']],
    ['--format=raw a', ['format=raw'], ['a']],
    ['--format raw a', ['format=raw'], ['a']],
    ['--form raw a', ['format=raw'], ['a']],
    ['--ou=json a', ['output=json'], ['a']],
    ['--format= a', ['format'], ['a']],
    ['--output --object a', ['output=--object'], ['a']],
    ['-f -U a', ['format=-U'], ['a']],
    ['-q -q a', ['quiet', 'quiet'], ['a']],
  ])('reads %j', (line, options, operands) => {
    expect(parse(line)).toEqual({ options, operands, problem: undefined });
  });
});

describe('operands', () => {
  it.each([
    ['a -U b', ['share'], ['a', 'b']],
    ['a b -f raw c -q d', ['format=raw', 'quiet'], ['a', 'b', 'c', 'd']],
    ['a -- -U', [], ['a', '-U']],
    ['-- -U', [], ['-U']],
    ['-q a -U b -- -c -- d', ['quiet', 'share'], ['a', 'b', '-c', '--', 'd']],
    ['- -q', ['quiet'], ['-']],
  ])('keeps their order in %j', (line, options, operands) => {
    expect(parse(line)).toEqual({ options, operands, problem: undefined });
  });

  it('end the options where they may not be mixed', () => {
    expect(parse('-q check -U', false)).toEqual({
      options: ['quiet'],
      operands: ['check', '-U'],
      problem: undefined,
    });
  });
});

describe('what is wrong', () => {
  it.each([
    ['-z a', "unrecognized option '-z'"],
    ['-Uz a', "unrecognized option '-Uz'"],
    // Not the word itself: the word before it, as the real program has it.
    ['-zU a', "unrecognized option 'info'"],
    ['a -zU', "unrecognized option 'a'"],
    ['-q a -zU', "unrecognized option 'a'"],
    ['--what a', "unrecognized option '--what'"],
    ['--o=json a', "unrecognized option '--o=json'"],
    ['--help=3', "unrecognized option '--help=3'"],
    ['-f', "missing argument for option '-f'"],
    ['a -Uf', "missing argument for option '-Uf'"],
    ['a --output', "missing argument for option '--output'"],
  ])('is said of %j', (line, problem) => {
    expect(parse(line).problem).toBe(problem);
  });

  it('does not take back what came before', () => {
    expect(parse('-q --what -U').options).toEqual(['quiet']);
    expect(parse('-qz').options).toEqual(['quiet']);
  });
});
