/** What a diagnosis knows before anything is judged: numbers and names. Plain data, sizes in bytes. */
import type { FileFacts, Judgement } from '../destinations/destination.ts';
import type { Survey } from '../formats/survey.ts';
import type { GuestContents } from '../guest/file-system-reader.ts';
import type { CheckReport } from '../operations/check-report.ts';
import type { Finding, Range } from '../operations/finding.ts';
import type { ImageInfo } from '../operations/image-info.ts';

export interface DiagnosisFacts {
  info: ImageInfo;
  file: FileFacts;
  /** Who takes the file. */
  judgements: Judgement[];
  /** Undefined for formats that cannot be checked, and where `checkRefused` says why not. */
  check: CheckReport | undefined;
  /** The code of the error that kept the check from running; '' where none did. */
  checkRefused: string;
  /** What was put up with when the image was opened, as far as the check does not say it again. */
  noticed: readonly Finding[];
  /** Undefined where the tables are too damaged to be surveyed. */
  survey: Survey | undefined;
  /** The image itself first, then what is below it. */
  chain: LayerFacts[];
  /** Partitions and file systems; undefined where the content cannot be read. */
  guest: GuestContents | undefined;
  /** The same of the backing image, where there is one that can be read. */
  guestBelow: GuestContents | undefined;
  /** The file changed while it was looked at: something else writes to it. */
  changedMeanwhile: boolean;
  /** What was remembered of the base, held against the base as it is now. */
  guard: GuardFacts | undefined;
  /** The format that the first bytes of the disk look like, as if it were an image; '' for none. */
  contentLooksLike: string;
  /** Only where guest data were to be read. */
  deep: DeepFacts | undefined;
  /** Milliseconds since 1970: when the diagnosis was made. */
  now: number;
}

/** One image of a chain. */
export interface LayerFacts {
  name: string;
  /** '' where it is not known: the file was not given. */
  format: string;
  virtualSize: number;
  fileSize: number;
  clusterSize: number;
  /** Guest bytes that this image decides; of a missing one, those that are left to it. */
  serves: number;
  /** The whole disk was followed, so `serves` is exact; otherwise it is the least. The same for all. */
  mapped: boolean;
  /** Guest bytes, part of `serves`, for which its tables say nothing that could be right. */
  damaged: number;
  /** When its file was written last, milliseconds since 1970; undefined where nobody tells. */
  modified: number | undefined;
  /** It is named by the one above it, and not here. */
  missing: boolean;
  /** Not closed cleanly. */
  dirty: boolean;
  corrupt: boolean;
  /** How the image above names it: name and format as written there; of the first image ''. */
  writtenName: string;
  writtenFormat: string;
}

/** A base as it was remembered, and as it is. */
export interface GuardFacts {
  /** When it was remembered, milliseconds since 1970. */
  since: number;
  /** Where from: the overlay's own header, or the app. */
  source: 'header' | 'app';
  /** What differs; empty: it is the same. */
  changes: ('size' | 'virtual-size' | 'metadata' | 'content')[];
  /** The overlay names another base than when it was remembered. Not known by the app: false. */
  otherBase: boolean;
}

/** What reading guest data tells. */
export interface DeepFacts {
  /** Bytes that were read and unpacked. */
  bytesRead: number;
  /** Packed clusters, and how many of them do not unpack. */
  packedClusters: number;
  brokenPacked: number;
  /** Guest addresses of those of the disk as it is now, at most some. */
  brokenPlaces: Range[];
  /** So many of both belong to snapshots alone. */
  snapshotPacked: number;
  brokenSnapshotPacked: number;
  /** Guest bytes that could not be read for other reasons; not what waits for a file or a passphrase. */
  unreadable: number;
  /** Guest addresses, at most some. */
  unreadablePlaces: Range[];
  /** Clusters with plain content that are all zeros, bytes. */
  zeroFilled: number;
  /** Content that equals what the backing image has there, without {@link zeroFilled}; bytes. */
  equalToBacking: number;
  /** What a sample of plain content packs to, with zlib; both 0 where there was none. */
  sampled: number;
  sampledPacked: number;
  /** Whether all places that nothing uses are known: some formats do not say. */
  staleKnown: boolean;
  /** Bytes of sectors with something in places that nothing uses: free, leaked, held zeros, the tail. */
  stale: number;
  /** Addresses in the file, at most some. */
  stalePlaces: Range[];
  /** Things in the content that should not be given away. */
  secrets: SecretFacts[];
}

export type SecretKind =
  | 'private-key' // PEM or OpenSSH private keys
  | 'password-hash' // lines of /etc/shadow
  | 'machine-id'
  | 'shell-history'
  | 'cloud-credentials'
  | 'token';

export interface SecretFacts {
  kind: SecretKind;
  count: number;
  /** Guest addresses of those that the guest sees, at most some. */
  places: Range[];
  /** So many of them lie in places that the guest does not see any more, some only in snapshots. */
  stale: number;
  /** Where those are in the file, at most some. */
  stalePlaces: Range[];
}
