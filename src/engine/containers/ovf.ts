/** The description of a virtual machine: OVF (DMTF DSP0243), as VMware and VirtualBox write it. */
import { descendants, parseXml, textOf, type XmlElement } from './xml.ts';

/** Bytes of a description at most. */
export const LARGEST_OVF = 4 * 1024 * 1024;
/** Systems, disks and networks that are told at most, each. */
const MOST = 256;

/** A disk of an appliance. */
export interface OvfDisk {
  readonly id: string;
  /** Its file; '' where it has none (it is empty then). */
  readonly file: string;
  /** Bytes; undefined where it is not said or makes no sense. */
  readonly capacity: number | undefined;
  /** «format», an address: that of VMDK as a stream, mostly. */
  readonly format: string;
}

/** A virtual machine of an appliance. '' and undefined: not said. */
export interface OvfSystem {
  readonly id: string;
  readonly name: string;
  /** As it is named there: `Debian_64`, «Ubuntu Linux (64-bit)» … */
  readonly os: string;
  /** For what it was made: `vmx-13`, `virtualbox-2.2` … */
  readonly hardware: string;
  readonly cpus: number | undefined;
  /** Bytes. */
  readonly memory: number | undefined;
}

export interface OvfFacts {
  readonly systems: OvfSystem[];
  readonly disks: OvfDisk[];
  readonly networks: string[];
}

/** Reads a description. What it does not say is left open; nothing is wrong enough to fail. */
export function parseOvf(text: string): OvfFacts {
  const root = parseXml(text);
  const files = new Map(
    descendants(root, 'File').map((file) => [attribute(file, 'id'), attribute(file, 'href')]),
  );
  const disks = descendants(root, 'Disk').filter((disk) => disk.attributes.has('diskId'));
  const networks = descendants(root, 'Network').map((network) => attribute(network, 'name'));
  return {
    systems: descendants(root, 'VirtualSystem').slice(0, MOST).map(systemOf),
    disks: disks.slice(0, MOST).map((disk) => ({
      id: attribute(disk, 'diskId'),
      file: files.get(attribute(disk, 'fileRef')) ?? '',
      capacity: quantity(
        attribute(disk, 'capacity'),
        attribute(disk, 'capacityAllocationUnits') || 'byte',
      ),
      format: attribute(disk, 'format'),
    })),
    networks: [...new Set(networks.filter((name) => name !== ''))].slice(0, MOST),
  };
}

function attribute(element: XmlElement, name: string): string {
  return element.attributes.get(name) ?? '';
}

/** «ResourceType» of CIM_ResourceAllocationSettingData. */
const PROCESSOR = '3';
const MEMORY = '4';

function systemOf(system: XmlElement): OvfSystem {
  const items = descendants(system, 'Item');
  const item = (type: string) => items.find((one) => textOf(one, 'ResourceType') === type);
  const memory = item(MEMORY);
  const [os] = descendants(system, 'OperatingSystemSection');
  const [hardware] = descendants(system, 'VirtualHardwareSection');
  const info = hardware?.children.find((child) => child.name === 'System');
  const id = attribute(system, 'id');
  return {
    id,
    name: textOf(system, 'Name') || id,
    os: textOf(os, 'Description') || textOf(os, 'OSType') || (os ? attribute(os, 'osType') : ''),
    hardware: textOf(info, 'VirtualSystemType'),
    cpus: whole(textOf(item(PROCESSOR), 'VirtualQuantity')),
    memory: quantity(
      textOf(memory, 'VirtualQuantity'),
      textOf(memory, 'AllocationUnits') || 'byte',
    ),
  };
}

function whole(text: string): number | undefined {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : undefined;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A number of units (DSP0004, annex «programmatic units», and what was in use before), in bytes. */
function quantity(text: string, units: string): number | undefined {
  const count = whole(text);
  const factor = factorOf(units.trim());
  if (count === undefined || factor === undefined) return undefined;
  const value = count * factor;
  return Number.isSafeInteger(value) ? value : undefined;
}

const OLD_UNITS: Readonly<Record<string, number>> = { kilobytes: 10, megabytes: 20, gigabytes: 30 };
const PREFIXES: Readonly<Record<string, number>> = { kibi: 10, mebi: 20, gibi: 30, tebi: 40 };

function factorOf(units: string): number | undefined {
  if (/^bytes?$/i.test(units)) return 1;
  const power = /^bytes?\s*\*\s*2\s*\^\s*(\d{1,2})$/i.exec(units)?.[1];
  if (power !== undefined) return 2 ** Number(power);
  const old = OLD_UNITS[units.toLowerCase()];
  if (old !== undefined) return 2 ** old;
  const prefix = /^(kibi|mebi|gibi|tebi)bytes?$/i.exec(units)?.[1];
  return prefix === undefined ? undefined : 2 ** (PREFIXES[prefix.toLowerCase()] ?? 0);
}
