/** The fields of a header for the structure view: what their table says of them, and their values. */
import type { Field } from '../binary/struct.ts';
import type { FieldValue } from '../operations/image-info.ts';

/**
 * @param values as the table has parsed them
 * @param at where the structure begins in the file, bytes
 */
export function fieldValues(
  { fields }: { readonly fields: Readonly<Record<string, Field<number> | Field<bigint>>> },
  values: Readonly<Record<string, number | bigint>>,
  at = 0,
): FieldValue[] {
  return Object.entries(fields).map(([name, { offset, size, style, meaning }]) => {
    const value = values[name] ?? 0;
    const asHex = style === 'offset' || style === 'bits';
    const text = asHex ? `0x${value.toString(16)}` : value.toString();
    return { name, offset: at + offset, length: size, value: text, meaning };
  });
}
