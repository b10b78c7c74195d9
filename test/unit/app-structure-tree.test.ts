import { describe, expect, it } from 'vitest';
import { PIECE, StructureTree } from '../../src/app/structure-tree.ts';
import type { StructureNode } from '../../src/worker/api.ts';

const TABLE = 2600;

function node(id: string, children = 0): StructureNode {
  const label = id.split('/').at(-1) ?? '';
  return {
    id,
    label,
    key: '',
    meaning: `what ${label} is`,
    section: '',
    offset: 0,
    length: 8,
    value: undefined,
    children,
    doubtful: false,
  };
}

/** A header with two fields, and a table whose entries are loaded in pieces. */
function below(id: string): StructureNode[] {
  if (id === '') return [node('header', 2), node('table', TABLE)];
  if (id === 'header') return [node('header/magic'), node('header/version')];
  return Array.from({ length: TABLE }, (_, index) => node(`table/${index}`));
}

function treeOf(asked: string[] = []): StructureTree {
  return new StructureTree(
    (id, from, most) => {
      asked.push(`${id} ${from}`);
      return Promise.resolve(below(id).slice(from, from + most));
    },
    () => undefined,
  );
}

/** Its lines, short. */
function lines(tree: StructureTree): string[] {
  return tree.rows.map((row) =>
    row.kind === 'node' ? `${row.level} ${row.node.id}` : `${row.level} ${row.kind}`,
  );
}

describe('the tree of structures', () => {
  it('loads what is opened, and that once', async () => {
    const asked: string[] = [];
    const tree = treeOf(asked);
    await tree.start();
    expect(lines(tree)).toEqual(['1 header', '1 table']);
    await tree.open('header');
    tree.close('header');
    await tree.open('header');
    expect(lines(tree)).toEqual(['1 header', '2 header/magic', '2 header/version', '1 table']);
    expect(asked).toEqual([' 0', 'header 0']);
    expect(tree.pathTo('header/magic').map(({ id }) => id)).toEqual(['header', 'header/magic']);
  });

  it('shows long tables in pieces, to the end', async () => {
    const tree = treeOf();
    await tree.start();
    await tree.open('table');
    for (let from = PIECE; from < TABLE; from += PIECE) {
      const more = tree.rows.at(-1);
      expect(more?.kind === 'more' && [more.from, more.count]).toEqual([
        from,
        Math.min(PIECE, TABLE - from),
      ]);
      await tree.more('table', from);
    }
    expect(tree.rows).toHaveLength(2 + TABLE);
    const last = tree.rows.at(-1);
    expect(last?.kind === 'node' && [last.position, last.count]).toEqual([TABLE, TABLE]);
  });

  it('reveals an entry in the middle without what is before it', async () => {
    const asked: string[] = [];
    const tree = treeOf(asked);
    await tree.start();
    await tree.reveal([node('table', TABLE), node('table/1234')]);
    expect(asked).toEqual([' 0', 'table 0', 'table 1000']);
    const found = tree.rows.findIndex((row) => row.key === 'table/1234');
    const row = tree.rows[found];
    expect(row?.kind === 'node' && row.position).toBe(1235);
    const gap = tree.rows.find(({ kind }) => kind === 'more');
    expect(gap?.kind === 'more' && [gap.from, gap.count, gap.isBefore]).toEqual([500, 500, true]);
  });

  it('filters what is loaded, with what leads there', async () => {
    const tree = treeOf();
    await tree.start();
    await tree.open('header');
    tree.setFilter('VERSION');
    expect(lines(tree)).toEqual(['1 header', '2 header/version']);
    tree.setFilter('nothing like it');
    expect(lines(tree)).toEqual([]);
    tree.setFilter('');
    expect(tree.rows).toHaveLength(4);
  });

  it('says what could not be loaded, and tries again', async () => {
    let isBroken = true;
    const tree = new StructureTree(
      (id) =>
        isBroken && id !== '' ? Promise.reject(new Error('gone')) : Promise.resolve(below(id)),
      () => undefined,
    );
    await tree.start();
    await tree.open('header');
    expect(lines(tree)).toEqual(['1 header', '2 failed', '1 table']);
    isBroken = false;
    await tree.open('header');
    expect(lines(tree)).toEqual(['1 header', '2 header/magic', '2 header/version', '1 table']);
  });
});
