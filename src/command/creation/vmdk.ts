/** Making VMDKs: their options, in qemu-img's words. */
import { createVmdk, VMDK_ADAPTERS, VMDK_SUBFORMATS } from '../../engine/index.ts';
import type { Context } from '../context.ts';
import { CommandFailure } from '../context.ts';
import type { CreationValues } from '../creation-values.ts';
import { openByName } from '../images.ts';
import { fileName, resolveName } from '../names.ts';
import { creationBacking } from '../new-files.ts';
import { OptionFault } from '../option-text.ts';
import { checkFilePreallocation } from './file-options.ts';
import type { CreationBacking, CreationRequest, TargetFormat } from './target-format.ts';

export const vmdkTarget: TargetFormat = {
  name: 'vmdk',
  types: {
    adapter_type: 'text',
    backing_file: 'text',
    backing_fmt: 'text',
    compat6: 'switch',
    hwversion: 'text',
    toolsversion: 'text',
    subformat: 'text',
    zeroed_grain: 'switch',
  },
  printed: [
    ...['size', 'adapter_type', 'backing_file', 'backing_fmt', 'compat6', 'hwversion'],
    ...['toolsversion', 'subformat', 'zeroed_grain'],
    ...['nocow', 'preallocation', 'extent_size_hint'],
  ],
  usual: { compat6: 'off', hwversion: 'undefined' },
  help: `  adapter_type=<str>     - ide, lsilogic, buslogic or legacyESX
  backing_file=<str>     - What the new image is based on
  backing_fmt=<str>      - The format of that file: vmdk
  compat6=<bool (on/off)> - For virtual hardware of version 6
  hwversion=<str>        - Version of the virtual hardware
  size=<size>            - Bytes of the disk
  subformat=<str>        - monolithicSparse, monolithicFlat, twoGbMaxExtentSparse,
                           twoGbMaxExtentFlat or streamOptimized
  toolsversion=<str>     - Version of the guest's tools
  zeroed_grain=<bool (on/off)> - Grains of zeros take no room
`,
  backing: true,
  backingFormat: true,
  packs: true,
  async prepare(context, request) {
    const { values, size, name } = request;
    const format = values.text('backing_fmt') ?? 'vmdk';
    if (format !== 'vmdk') throw new OptionFault('backing_file must be a vmdk image');
    const adapter = oneOf(VMDK_ADAPTERS, values.text('adapter_type') ?? 'ide');
    const subformat = oneOf(VMDK_SUBFORMATS, values.text('subformat') ?? 'monolithicSparse');
    const isFlat = subformat.endsWith('Flat');
    const zeroedGrains = values.isOn('zeroed_grain');
    const hardwareVersion = hardwareVersionOf(values);
    const backing = values.text('backing_file');
    if (isFlat && backing !== undefined)
      throw new OptionFault("Flat image can't have backing file");
    if (isFlat && zeroedGrains) throw new OptionFault("Flat image can't enable zeroed grain");
    checkFilePreallocation(values);
    const parent = backing === undefined ? undefined : await parentOf(context, backing, request);
    const toolsVersion = values.text('toolsversion') ?? '2147483647';
    const ownName = fileName(name).replace(/^.*\//s, '');
    const options = { name: ownName, subformat, adapter, hardwareVersion, toolsVersion };
    const create = (files: Parameters<typeof createVmdk>[0]) =>
      createVmdk(files, size, { ...options, zeroedGrains, parent });
    return { size, create };
  },
};

function oneOf<Value extends string>(known: readonly Value[], text: string): Value {
  const value = known.find((one) => one === text);
  if (value !== undefined) return value;
  throw new OptionFault(`invalid parameter value: ${text}`);
}

function hardwareVersionOf(values: CreationValues): string {
  const given = values.text('hwversion') ?? 'undefined';
  const version = given === 'undefined' ? undefined : given;
  if (!values.isOn('compat6')) return version ?? '4';
  if (version === undefined) return '6';
  throw new OptionFault('compat6 cannot be enabled with hwversion set');
}

/** The image below, whose content's id is part of the new one: it is opened in any case. */
async function parentOf(
  context: Context,
  name: string,
  { backing, name: image }: CreationRequest,
): Promise<{ name: string; cid: number }> {
  const { format, facts } = backing ?? (await openParent(context, name, image));
  if (format !== 'vmdk') {
    throw new OptionFault(`Invalid backing file format: ${format}. Must be vmdk`);
  }
  const cid = Number.parseInt(String(facts.get('content-id') ?? ''), 16);
  if (Number.isNaN(cid)) throw new OptionFault('Failed to read parent CID');
  return { name, cid };
}

async function openParent(context: Context, name: string, image: string): Promise<CreationBacking> {
  const path = resolveName(name, fileName(image));
  try {
    const parent = await openByName(context, { name: path, format: undefined, mode: 'info' });
    await parent.close();
    return creationBacking(name, parent);
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    // What it says begins with the file that cannot be opened, and so does this.
    throw new OptionFault(error.message.slice(`Could not open '${path}': `.length));
  }
}
