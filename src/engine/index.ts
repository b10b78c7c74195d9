/** All that anyone outside the engine may import. */
export * from './errors.ts';
export { hex64 } from './binary/units.ts';
export { offerBlockCipher, type BlockCipher } from './codecs/crypto/block-cipher.ts';
export {
  createHasher,
  HASH_NAMES,
  inZeros,
  type Hasher,
  type HasherFactory,
  type HashName,
} from './codecs/hash.ts';
export { inflateCluster } from './codecs/inflate.ts';
export { InlinePool, unpackBatch } from './codecs/pool.ts';
export {
  packingIn,
  type Packing,
  type PackingStyle,
  type WritablePacking,
} from './codecs/packing.ts';
export type * from './codecs/pool.ts';
export { offerUnpacker, type Unpacker } from './codecs/unpackers.ts';
export {
  poolSize,
  serveCodec,
  WorkerPool,
  type CodecAnswer,
  type CodecOrder,
  type CodecScope,
  type CodecWorker,
} from './codecs/worker-pool.ts';
export type * from './destinations/destination.ts';
export { factsOf } from './destinations/facts.ts';
export { destinationOf, judge, judgeAll, sizeFor } from './destinations/judge.ts';
export { DESTINATIONS } from './destinations/table.ts';
export {
  diagnose,
  diagnosisOf,
  type Diagnosed,
  type DiagnoseOptions,
} from './diagnosis/diagnose.ts';
export {
  compareDiagnoses,
  findingKey,
  GROWING_PARTS,
  largestFile,
  metadataBytes,
  type ChainChange,
  type ChangedGrade,
  type DiagnosisComparison,
  type FullForecast,
  type Growth,
  type GrowingPart,
  type IdentityDifference,
  type Sameness,
} from './diagnosis/compare.ts';
export type * from './diagnosis/diagnosis.ts';
export { AREAS, GRADES, MOST_PLACES } from './diagnosis/diagnosis.ts';
export type * from './diagnosis/facts.ts';
export {
  fingerprintOf,
  guardFactsOf,
  type BaseFingerprint,
  type FingerprintOptions,
  type KeptFingerprint,
} from './diagnosis/guard.ts';
export { layersOf } from './diagnosis/layers.ts';
export {
  LONGEST_REPORT,
  parseDiagnosis,
  type ParsedDiagnosis,
  type ReportRefusal,
} from './diagnosis/parse.ts';
export {
  reportOf,
  type DiagnosisHashes,
  type DiagnosisReport,
  type EarlierDiagnosis,
  type EarlierFinding,
  type EarlierSnapshot,
  type ReportOptions,
} from './diagnosis/report.ts';
export type { ChainValues } from './diagnosis/rules/chain.ts';
export type { HealthValues } from './diagnosis/rules/health.ts';
export type { PerformanceValues } from './diagnosis/rules/performance.ts';
export type { PortabilityValues } from './diagnosis/rules/portability.ts';
export type { SafetyValues } from './diagnosis/rules/safety.ts';
export type { SpaceValues } from './diagnosis/rules/space.ts';
export { FORMAT_NAMES, openImage, type OpenOptions } from './formats/index.ts';
export type * from './formats/format.ts';
export type * from './formats/survey.ts';
export { looksLikeDisk } from './formats/identify.ts';
export { isEncrypted } from './formats/encrypted.ts';
export { isLayered } from './formats/layered.ts';
export { luksSeconds } from './formats/luks.ts';
export { LUKS_ITER_TIME, type LuksOptions } from './formats/luks-format.ts';
export { luksValues } from './formats/luks-values.ts';
export { createLuksVolume } from './formats/luks-volume/create.ts';
export { LuksVolume } from './formats/luks-volume/image.ts';
export { changeVolumeKeys } from './formats/luks-volume/keys.ts';
export { readBitmap, type MarkedRange } from './formats/qcow2/bitmap-contents.ts';
export { checkAmendment, type Qcow2Amendment } from './formats/qcow2/edit/amend.ts';
export { createQcow2, type Qcow2Options } from './formats/qcow2/edit/create.ts';
export type { Encryption } from './formats/qcow2/edit/encryption.ts';
export { dropFingerprint, keepFingerprint } from './formats/qcow2/edit/fingerprint.ts';
export { keptFingerprint } from './formats/qcow2/fingerprint.ts';
export { GuestWriter, type ReadBelow } from './formats/qcow2/edit/guest-writer.ts';
export { changeLuksKeys, type KeyChange } from './formats/qcow2/edit/luks-slots.ts';
export {
  BitmapDirectory,
  keepBitmaps,
  recordsChanges,
  type NewBitmap,
} from './formats/qcow2/edit/bitmaps.ts';
export { editQcow2 } from './formats/qcow2/edit/open.ts';
export {
  applySnapshot,
  checkApplicable,
  createSnapshot,
  deleteSnapshot,
  planDeletion,
  type SnapshotEffect,
  type SnapshotLabel,
} from './formats/qcow2/edit/snapshots.ts';
export { emptyQcow2, reopenQcow2 } from './formats/qcow2/edit/resize.ts';
export { checkQcowSize, createQcow, type QcowOptions } from './formats/qcow/create.ts';
export { Qcow2Image } from './formats/qcow2/image.ts';
export {
  createParallels,
  parallelsRefusal,
  type ParallelsOptions,
} from './formats/parallels/create.ts';
export { checkQedOptions, createQed, type QedOptions } from './formats/qed/create.ts';
export { createVdi, VDI_MAX_SIZE, type VdiOptions } from './formats/vdi/create.ts';
export { createVhdx, VHDX_MAX_SIZE, type VhdxOptions } from './formats/vhdx/create.ts';
export { createVpc, VPC_MAX_SIZE, vpcSize, type VpcOptions } from './formats/vpc/create.ts';
export {
  createVmdk,
  VMDK_ADAPTERS,
  VMDK_SUBFORMATS,
  type VmdkOptions,
} from './formats/vmdk/create.ts';
export { amendImage, type AmendOptions } from './operations/amend.ts';
export {
  benchReads,
  benchWrites,
  type BenchOptions,
  type BenchTarget,
} from './operations/bench.ts';
export { mapChain, type ChainExtent } from './operations/chain.ts';
export { checkImage, type CheckOptions } from './operations/check.ts';
export type * from './operations/check-report.ts';
export {
  checksumDisk,
  checksumFile,
  type ChecksumOptions,
  type ChecksumReport,
} from './operations/checksum.ts';
export {
  expectationOf,
  judgeChecksum,
  parseChecksumList,
  type ChecksumList,
  type ChecksumVerdict,
  type Expectation,
} from './operations/checksum-list.ts';
export {
  compactQcow2,
  planCompact,
  type CompactOptions,
  type CompactReport,
} from './operations/compact.ts';
export { verifyCompacted, type VerifyCompactedOptions } from './operations/compact-verify.ts';
export {
  commitContent,
  planCommit,
  rawTarget,
  type CommitReport,
  type CommitTarget,
} from './operations/commit.ts';
export { judgeChange, verifyChange, verifyOther } from './operations/verify-change.ts';
export {
  planRebase,
  rebaseContent,
  rebaseIntoQcow2,
  type RebaseReport,
  type RebaseTarget,
} from './operations/rebase.ts';
export { compareDisks, type CompareOptions } from './operations/compare.ts';
export type * from './operations/compare-report.ts';
export {
  compareRanges,
  type CompareRangesOptions,
  type RangesReport,
  type SameMedium,
} from './operations/compare-ranges.ts';
export {
  convertToRaw,
  planConvert,
  DEFAULT_SPARSE,
  type ConvertOptions,
  type ConvertPlan,
  type ConvertReport,
} from './operations/convert.ts';
export {
  convertInto,
  convertOverBacking,
  type ConvertOverOptions,
  type ConvertTarget,
} from './operations/convert-over.ts';
export { editDisk, repairDisk } from './operations/edit-disk.ts';
export { convertToQcow2, type ConvertQcow2Options } from './operations/convert-qcow2.ts';
export { copyBlocks, copyBlocksToQcow2 } from './operations/copy-blocks.ts';
export { convertWithSnapshots } from './operations/convert-snapshots.ts';
export type * from './operations/finding.ts';
export { writeRawTarGz } from './operations/gzip-disk.ts';
export { writeOva } from './operations/ova.ts';
export { vmfsDescriptor } from './operations/vmfs-descriptor.ts';
export { ZeroDisk } from './operations/zero-disk.ts';
export { inspect } from './operations/inspect.ts';
export type * from './operations/inspect.ts';
export {
  checkQcow2Size,
  luksOverhead,
  measureDisk,
  measureEmpty,
  type MeasureOptions,
  type MeasureReport,
  type MeasureTarget,
} from './operations/measure.ts';
export { missingBytes } from './operations/missing.ts';
export type * from './operations/operation.ts';
export { PartDisk } from './operations/part-disk.ts';
export { patchScripts, type PatchScripts } from './operations/patch-scripts.ts';
export {
  CELL_KINDS,
  type CellKind,
  type PictureData,
  type PictureRun,
} from './operations/picture.ts';
export { FilePicture } from './operations/picture-file.ts';
export { guestPicture, guestPlace, guestRuns } from './operations/picture-guest.ts';
export { readDisk, readerBelow } from './operations/read.ts';
export { seeDisk, seeFile, type SeenBytes, type Unseen } from './operations/read-lenient.ts';
export {
  CHOICE_ALL,
  CHOICE_SAFE,
  isClean,
  planRepair,
  repairDirty,
  runRepair,
  type RepairOptions,
} from './operations/repair.ts';
export type {
  RepairAction,
  RepairChoice,
  RepairClass,
  RepairKind,
  RepairPlan,
} from './operations/repair.ts';
export { Salvage, type Loss, type LossReport } from './operations/salvage.ts';
export {
  planResize,
  resizeDisk,
  type ResizeOptions,
  type ResizePlan,
} from './operations/resize.ts';
export { readContents, type GuestContents } from './guest/file-system-reader.ts';
export type * from './containers/container.ts';
export { openWrapped, wrapperOf } from './operations/wrapped.ts';
export type * from './operations/unwrap.ts';
export type { ManifestLine, ManifestVerdict } from './containers/manifest.ts';
export type { OvfDisk, OvfFacts, OvfSystem } from './containers/ovf.ts';
export { searchDisk, searchFile } from './operations/search.ts';
export { openSnapshot, type SnapshotKey } from './operations/snapshot.ts';
export { StructureTree } from './operations/structure.ts';
export { heldWork, holdWork, pacer, releaseWork, yieldToEvents } from './operations/yield.ts';
export {
  Change,
  writePatch,
  type Applied,
  type ApplyOptions,
  type ChangeOptions,
} from './storage/change.ts';
export { forgetJournal, recover, type JournalPlace, type Recovery } from './storage/journal.ts';
export { applyPatch, openPatch, type PatchFile } from './storage/patch-file.ts';
export type { PatchHeader, PatchKind } from './storage/patch-layout.ts';
export { BlobStorage } from './storage/blob.ts';
export { giveBuffer, takeBuffer } from './storage/buffers.ts';
export { PassingStorage } from './storage/passing.ts';
export { MemoryStorage } from './storage/memory.ts';
export { OpfsStorage } from './storage/opfs.ts';
export { OverlayStorage, type Overlay, type OverlayOptions } from './storage/overlay.ts';
export { RangeSet, type ByteRange } from './storage/range-set.ts';
export { SliceStorage } from './storage/slice.ts';
export { readPadded, writeFresh, type Storage } from './storage/storage.ts';
export { WritableStorage } from './storage/writable.ts';
