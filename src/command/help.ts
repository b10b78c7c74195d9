/** Who this is and what can be asked of it. */
import { FORMAT_NAMES } from '../engine/index.ts';

/**
 * Scripts read the version of qemu-img out of this to know which options there are: it is the one
 * whose behaviour is reproduced.
 */
export const VERSION = `qemu-img version 7.2.22 (qcow2-workbench ${__APP_VERSION__})
A reimplementation; not made by and not affiliated with the QEMU project
`;

export const HELP = `${VERSION}usage: qemu-img [standard options] command [command options]
Looks into disk images, checks them and copies them out.

    '-h', '--help'       print this text
    '-V', '--version'    print the version
    '-T', '--trace'      taken, but there are no events to trace

Command syntax:
  accepts [--object objectdef] [--image-opts] [-f fmt] [--output=ofmt] [--for=destination] [-U] filename
  amend [--object objectdef] [--image-opts] [-p] [-q] [-f fmt] [-t cache] [--force] [--undo undo_file] -o options filename
  bench [--image-opts] [-c count] [-d depth] [-f fmt] [-i aio] [-n] [-o offset] [-q] [-s buffer_size] [-S step_size] [-t cache] [-U] filename
  bitmap [--object objectdef] [--image-opts] [-f fmt] [--undo undo_file] (--add | --remove | --clear | --enable | --disable | --merge source)... [-b source_file [-F source_fmt]] [-g granularity] filename bitmap
  check [--object objectdef] [--image-opts] [-q] [-f fmt] [--output=ofmt] [-r [leaks | all] [--recover] [--undo undo_file]] [--repair-plan] [-T src_cache] [-U] filename
  checksum [--object objectdef] [--image-opts] [-f fmt] [--output=ofmt] [-l snapshot] [-p] [-q] [-U] [--file] [--expect=digest | --sums=list] filename
  commit [--object objectdef] [--image-opts] [-q] [-f fmt] [-t cache] [-b base] [-r rate_limit] [-d] [-p] filename
  compact [--object objectdef] [--image-opts] [-f fmt] [-p] [-q] [-U] [--no-snapshots] [--verify | --no-verify] filename output_filename
  compare [--object objectdef] [--image-opts] [-f fmt] [-F fmt] [-T src_cache] [-p] [-q] [-s] [-U] filename1 filename2
  convert [--object objectdef] [--image-opts] [--target-image-opts] [--target-is-zero] [-U] [-C] [-c] [-p] [-q] [-n] [-r rate_limit] [--salvage | --verify] [--snapshots] [--for=destination] [-B backing_file [-F backing_fmt]] [--bitmaps [--skip-broken-bitmaps]] [-f fmt] [-t cache] [-T src_cache] [-O output_fmt] [-o options] [-l snapshot] [-S sparse_size] [-m num_coroutines] [-W] filename [filename2 [...]] output_filename
  create [--object objectdef] [-q] [-f fmt] [-b backing_file [-F backing_fmt]] [-u] [-o options] filename [size]
  dd [--object objectdef] [--image-opts] [-f fmt] [-O output_fmt] [-U] [bs=block_size] [count=blocks] [skip=blocks] if=input of=output
  diagnose [--object objectdef] [--image-opts] [-U] [-f fmt] [--deep] [--output=human | json | markdown] [--compare=report] [-p] [-q] filename
  guard [--object objectdef] [--image-opts] [-q] [-f fmt] [--output=ofmt] [--keep | --drop | --verify] [--undo undo_file] [-U] filename
  info [--object objectdef] [--image-opts] [-f fmt] [--output=ofmt] [--backing-chain] [-U] filename
  map [--object objectdef] [--image-opts] [-f fmt] [--start-offset=offset] [--max-length=len] [--bitmap=name] [--output=ofmt] [-U] filename
  measure [--object objectdef] [--image-opts] [--output=ofmt] [-O output_fmt] [-o options] [--size N | [-f fmt] [-l snapshot] [-U] filename]
  rebase [--object objectdef] [--image-opts] [-U] [-q] [-f fmt] [-t cache] [-T src_cache] [-p] [-u] [-c] [--undo undo_file] -b backing_file [-F backing_fmt] filename
  resize [--object objectdef] [--image-opts] [-f fmt] [--preallocation=prealloc] [-q] [--shrink] [--undo undo_file] filename [+ | -]size
  snapshot [--object objectdef] [--image-opts] [-U] [-q] [--undo undo_file] [-l | -a snapshot | -c snapshot | -d snapshot] filename
  undo [-q] [--undo undo_file] filename undo_file

Command parameters:
  'filename' names the image to read; 'file:' before it takes it literally, 'json:' describes it
    by options
  '--image-opts' says that it is a list of options: driver=qcow2,file.filename=…; with
    backing.encrypt.key-secret=… and the like for the files behind it
  'objectdef' is secret,id=…,data=… or secret,id=…,file=…: a passphrase, for encrypt.key-secret=…;
    what is written on a command line can be seen by others on the same machine, a file need not
  'fmt' is the format to read it as; without it, the content decides
  'ofmt' is 'human' (the default) or 'json'
  'offset', 'len', 'N', 'rate_limit' and whatever ends with 'size' are bytes, or with a suffix
    k, M, G, T, P or E powers of 1024
  'cache' and 'src_cache' are 'none', 'writeback', 'writethrough', 'directsync' or 'unsafe';
    they are checked, and make no difference here
  'output_fmt' is 'raw', which is also what is taken without it; for convert also 'qcow2', for
    measure 'qcow2' and 'luks'
  'options' are name=value, with commas between; 'convert -o help' lists those of convert
  '-p' shows how far the work is
  '-q' keeps quiet about everything but errors
  '-U' is taken: images are never locked here
  '--undo' writes what takes a change back to 'undo_file', which must not be there; undo reads it.
    The real program has no such option

Parameters to bench subcommand:
  'count' reads of 'buffer_size' bytes are made, 'depth' of them at once, from 'offset' on, each
    'step_size' bytes behind the one before and at the end of the disk in front again
  '-i', '-n' and '-t' are taken: how the system reads is not ours to choose
  with '-w' it writes, one after the other, to a layer over the file that is dropped at the end: the
    image stays as it is, unlike with the real program

Parameters to bitmap subcommand:
  'bitmap' is the name of the persistent bitmap that is changed, by all the actions in their order
    or, where one of them fails, by none
  '--add' makes it; a bit stands for 'granularity' bytes, without it for as many as a cluster has,
    from 4k to 64k
  '--merge' marks besides what 'source' marks: a bitmap of this image or of 'source_file'
  '--enable' and '--disable': whether it records changes from now on
  '--clear' unmarks everything, '--remove' removes it

Parameters to check subcommand:
  the exit code is 0 (sound), 1 (could not be checked), 2 (damaged), 3 (only space is wasted) or
  63 (the format has nothing to check)
  '-r leaks' repairs what is beyond doubt; '-r all' also what has to be guessed, as long as nothing
    is given up that can be read. In both, every layer reads the same before and after
  '--recover' (with '-r all') also puts lost tables back where the disk now reads as empty; without
    it, they are kept as a snapshot named 'lost+found'
  '--repair-plan' says what would be done and changes nothing
  '--undo' keeps what takes the repair back

Parameters to accepts subcommand (which the real program does not have):
  says which programs and services take the image, and why the others do not
  '--for' asks one of them only; the exit code is then 1 where it refuses the image
  the exit code is 2 where the image cannot be read

Parameters to checksum subcommand (which the real program does not have):
  computed is the SHA-256 of what the guest reads: the same for every format and layout, and what
  sha256sum says of the image converted to raw
  '-l' takes the disk as a snapshot keeps it, as for convert
  '--file' takes the file itself, as it was downloaded
  '--expect' compares with 'digest': 64 hexadecimal digits, or 128 for SHA-512
  '--sums' compares the file with a list as sha256sum, sha512sum or BSD's tools write it; whether
    the list itself is genuine (a signature in it) is not checked
  the exit code is 0 (computed, or equal), 1 (different) or 2 (could not be read or compared)

Parameters to compact subcommand (which the real program does not have):
  writes a qcow2 image anew, in guest order, into 'output_filename': what is leaked or free stays
    behind, and all else is as it was, with snapshots, their machine states, bitmaps and the backing
    file's name
  '--no-snapshots' leaves the snapshots out
  '--no-verify' does not compare every layer of the output with the image
  the exit code is 0, or 1 where it failed

Parameters to compare subcommand:
  '-f' and '-F' are the formats of the first and of the second image
  '-s' demands the same size and the same allocation too
  the exit code is 0 (equal), 1 (different) or above (could not be compared)

Parameters to convert subcommand:
  '--for' (which the real program does not have) makes what a destination takes: azure, aws, gcp,
    esxi, hyper-v, virtualbox and others, in its format, with a size that it has, in its archive
  several images are written one behind the other
  '-B' is what the output is based on: what the image takes from its own backing file is left out
  '-c' packs the clusters of a qcow2 file, with zlib or as -o compression_type=zstd says
  '-l' takes the disk as a snapshot keeps it: an id, a name, or snapshot.id=…,snapshot.name=…
  '-S' is how many zero bytes make a hole in the output; 0 writes every byte
  '-n' writes into an image that is there already; with '--target-image-opts' it is described by
    options
  '--target-is-zero' says that this image reads as zeros everywhere
  '--salvage' goes on where something cannot be read: zeros stand for it, down to 512 bytes, and
    all of it is said at the end
  '--snapshots' copies the internal snapshots of a qcow2 image, too; the real program has no such
    option
  '--verify' reads the output again and compares it with the images; the real program has no such
    option
  '-r' is how many bytes a second are written at most
  '--bitmaps' copies the persistent bitmaps of the source (not of what is below it), and
    '--skip-broken-bitmaps' leaves out those that were not saved cleanly
  '-m', '-W' and '-C' are taken: how the work is spread does not change the result

Parameters to create subcommand:
  'fmt' is 'raw' (taken without it) or 'qcow2'; '-o help' lists the options of each
  '-b' is the image that the new one is based on, '-F' its format; '-u' does not look at it
  'size' can be left out where a backing file has one

Parameters to dd subcommand:
  'block_size' is 512 without it; 'skip' blocks of the input are left out, and 'count' blocks are
    copied, as dd does it. The real program copies less when both are given: there, the skipped
    blocks count too

Parameters to diagnose subcommand (which the real program does not have):
  says what is wrong with an image, why it is slow, where its space went, who takes it, and what to
    do; docs/diagnose.md has all that it can say. Without '--deep' it reads tables only, and a few
    KiB of what is in the disk
  '--deep' reads everything, too: packed clusters are unpacked, zeros and what is in the image below
    as well are counted, what should not be given away is looked for
  '--compare' says what has changed since 'report', which '--output=json' has written: what is new,
    how fast it grows, when it will be full
  the exit code is 0 (nothing is wrong), 2 (data are in danger), 3 (something else is wrong) or 1
  (it could not be diagnosed)

Parameters to guard subcommand (which the real program does not have):
  notices that the backing file of an image is no longer what it was: its content then no longer
    fits the image
  '--keep' writes into the header of the image what the backing file is like now; other programs
    keep it there without using it
  '--verify', which is also what is done without it, compares; '--drop' takes it out again
  tables are compared whole, and samples of the content, not all of it
  the exit code is 0 (the same, or done), 1 (failed), 2 (changed) or 3 (nothing is remembered)

Parameters to map subcommand:
  '--start-offset' and '--max-length' choose a part of the disk
  '--bitmap' lists the ranges that a persistent bitmap marks, and not where the data is; the real
    program has no such option

Parameters to measure subcommand:
  says how large the file of a new image will be: for what is in it now, when all of the disk has
    been written, and for copies of the persistent bitmaps besides
  '--size' measures an empty disk instead of one that there is

Parameters to snapshot subcommand:
  '-l' lists the snapshots
  '-c' takes one of that name, of which 255 bytes are kept
  '-a' makes the disk what it was then, its size included: 'snapshot' is an id or else a name
  '-d' deletes one: 'snapshot' is a name or, where no name is the same, an id. The real program
    takes names only

Parameters to undo subcommand (which the real program does not have):
  makes 'filename' what it was before a change, from the 'undo_file' that was written with it;
    nothing is written when the file has been changed since
  '--undo' writes what takes that back again
  A change that was interrupted leaves 'filename.journal': it is finished or dropped when the file
    is opened the next time, by any command

Supported formats: ${FORMAT_NAMES.join(' ')}
`;
