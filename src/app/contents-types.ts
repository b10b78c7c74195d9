/** What the types of partitions are called; the names are texts. */
import type { ContentsText } from './text/en-contents.ts';

export type TypeName = keyof ContentsText['types'];

/** The byte in an MBR, by the list that Linux and Windows agree on. */
const MBR: Readonly<Record<string, TypeName>> = {
  ...{ '01': 'fat', '04': 'fat', '06': 'fat', '0b': 'fat', '0c': 'fat', '0e': 'fat' },
  ...{ '11': 'fat', '14': 'fat', '16': 'fat', '1b': 'fat', '1c': 'fat', '1e': 'fat' },
  ...{ '05': 'extended', '0f': 'extended', '85': 'extended' },
  ...{ '07': 'windows', '17': 'windows', '27': 'recovery', '42': 'dynamic' },
  ...{ '41': 'prep', '82': 'swap', '83': 'linux', '84': 'hibernation', '8e': 'lvm', fd: 'raid' },
  ...{ a5: 'freebsd', a6: 'openbsd', a9: 'netbsd', bf: 'solaris' },
  ...{ ab: 'appleBoot', af: 'appleHfs', e8: 'crypt', ee: 'protective', ef: 'efi' },
  ...{ fb: 'vmfs', fc: 'vmware' },
};

/** The GUIDs in a GPT. */
const GPT: Readonly<Record<string, TypeName>> = {
  'C12A7328-F81F-11D2-BA4B-00A0C93EC93B': 'efi',
  '21686148-6449-6E6F-744E-656564454649': 'biosBoot',
  'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7': 'basic',
  'E3C9E316-0B5C-4DB8-817D-F92DF00215AE': 'reserved',
  'DE94BBA4-06D1-4D40-A16A-BFD50179D6AC': 'recovery',
  '5808C8AA-7E8F-42E0-85D2-E1E90434CFB3': 'dynamic',
  'AF9B60A0-1431-4F62-BC68-3311714A69AD': 'dynamic',
  'E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D': 'spaces',
  '0FC63DAF-8483-4772-8E79-3D69D8477DE4': 'linuxData',
  '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709': 'linuxRoot',
  '44479540-F297-41B2-9AF7-D131D5F0458A': 'linuxRoot',
  'B921B045-1DF0-41C3-AF44-4C6F280D3FAE': 'linuxRoot',
  '69DAD710-2CE4-4E3C-B16C-21A1D49ABED3': 'linuxRoot',
  '933AC7E1-2EB4-4F13-B844-0E14E2AEF915': 'linuxHome',
  '3B8F8425-20E0-4F3B-907F-1A25A76F98E8': 'linuxServer',
  '4D21B016-B534-45C2-A9FB-5C16E091FD2D': 'linuxVariable',
  'BC13C2FF-59E6-4262-A352-B275FD6F7172': 'linuxBoot',
  '8DA63339-0007-60C0-C436-083AC8230908': 'linuxReserved',
  '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F': 'swap',
  'E6D6D379-F507-44C2-A23C-238F2A3DF928': 'lvm',
  'A19D880F-05FC-4D3B-A006-743F0F84911E': 'raid',
  'CA7D7CCB-63ED-4C53-861C-1742536059CC': 'crypt',
  '7FFEC5C9-2D00-49B7-8941-3EA10A5586B7': 'crypt',
  '9E1A2D38-C612-4316-AA26-8B49521E5A8B': 'prep',
  '83BD6B9D-7F41-11DC-BE0B-001560B84F0F': 'freebsdBoot',
  '516E7CB4-6ECF-11D6-8FF8-00022D09712B': 'freebsd',
  '516E7CB5-6ECF-11D6-8FF8-00022D09712B': 'freebsdSwap',
  '516E7CB6-6ECF-11D6-8FF8-00022D09712B': 'freebsd',
  '516E7CBA-6ECF-11D6-8FF8-00022D09712B': 'freebsd',
  '824CC7A0-36A8-11E3-890A-952519AD3F61': 'openbsd',
  '49F48D5A-B10E-11DC-B99B-0019D1879648': 'netbsd',
  '6A898CC3-1DD2-11B2-99A6-080020736631': 'solaris',
  '48465300-0000-11AA-AA11-00306543ECAC': 'appleHfs',
  '7C3457EF-0000-11AA-AA11-00306543ECAC': 'appleApfs',
  '426F6F74-0000-11AA-AA11-00306543ECAC': 'appleBoot',
  '53746F72-6167-11AA-AA11-00306543ECAC': 'appleStorage',
  'AA31E02A-400F-11DB-9590-000C2911D1B8': 'vmfs',
  '9198EFFC-31C0-11DB-8F78-000C2911D1B8': 'vmware',
  '9D275380-40AD-11DB-BF97-000C2911D1B8': 'vmware',
  'FE3A2A5D-4F32-41A7-B725-ACCC3285A309': 'chromeKernel',
  '3CB8E202-3B7E-47DD-8A3C-7FF2A13CFCEC': 'chromeRoot',
};

/** The name of a partition's type, as it stands in its table. */
export function typeName(type: string): TypeName {
  return MBR[type] ?? GPT[type] ?? 'unknown';
}
