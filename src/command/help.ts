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
  check [--object objectdef] [--image-opts] [-q] [-f fmt] [--output=ofmt] [-T src_cache] [-U] filename
  checksum [--object objectdef] [--image-opts] [-f fmt] [--output=ofmt] [-l snapshot] [-p] [-q] [-U] [--file] [--expect=digest | --sums=list] filename
  compare [--object objectdef] [--image-opts] [-f fmt] [-F fmt] [-T src_cache] [-p] [-q] [-s] [-U] filename1 filename2
  convert [--object objectdef] [--image-opts] [--target-image-opts] [--target-is-zero] [-U] [-C] [-p] [-q] [-n] [-f fmt] [-t cache] [-T src_cache] [-O output_fmt] [-o options] [-l snapshot] [-S sparse_size] [-m num_coroutines] [-W] filename [filename2 [...]] output_filename
  info [--object objectdef] [--image-opts] [-f fmt] [--output=ofmt] [--backing-chain] [-U] filename
  map [--object objectdef] [--image-opts] [-f fmt] [--start-offset=offset] [--max-length=len] [--bitmap=name] [--output=ofmt] [-U] filename

Command parameters:
  'filename' names the image to read; 'file:' before it takes it literally, 'json:' describes it
    by options
  '--image-opts' says that it is a list of options: driver=qcow2,file.filename=…; with
    backing.encrypt.key-secret=… and the like for the files behind it
  'objectdef' is secret,id=…,data=… or secret,id=…,file=…: a passphrase, for encrypt.key-secret=…;
    what is written on a command line can be seen by others on the same machine, a file need not
  'fmt' is the format to read it as; without it, the content decides
  'ofmt' is 'human' (the default) or 'json'
  'offset', 'len' and 'sparse_size' are bytes, or with a suffix k, M, G, T, P or E powers of 1024
  'cache' and 'src_cache' are 'none', 'writeback', 'writethrough', 'directsync' or 'unsafe';
    they are checked, and make no difference here
  'output_fmt' must be 'raw', which is also what is taken without it
  'options' are name=value, with commas between; '-o help' lists them
  '-p' shows how far the work is
  '-q' keeps quiet about everything but errors
  '-U' is taken: images are never locked here

Parameters to check subcommand:
  the exit code is 0 (sound), 1 (could not be checked), 2 (damaged), 3 (only space is wasted) or
  63 (the format has nothing to check)

Parameters to checksum subcommand (which the real program does not have):
  computed is the SHA-256 of what the guest reads: the same for every format and layout, and what
  sha256sum says of the image converted to raw
  '-l' takes the disk as a snapshot keeps it, as for convert
  '--file' takes the file itself, as it was downloaded
  '--expect' compares with 'digest': 64 hexadecimal digits, or 128 for SHA-512
  '--sums' compares the file with a list as sha256sum, sha512sum or BSD's tools write it; whether
    the list itself is genuine (a signature in it) is not checked
  the exit code is 0 (computed, or equal), 1 (different) or 2 (could not be read or compared)

Parameters to compare subcommand:
  '-f' and '-F' are the formats of the first and of the second image
  '-s' demands the same size and the same allocation too
  the exit code is 0 (equal), 1 (different) or above (could not be compared)

Parameters to convert subcommand:
  several images are written one behind the other
  '-l' takes the disk as a snapshot keeps it: an id, a name, or snapshot.id=…,snapshot.name=…
  '-S' is how many zero bytes make a hole in the output; 0 writes every byte
  '-n' writes into an image that is there already; with '--target-image-opts' it is described by
    options
  '--target-is-zero' says that this image reads as zeros everywhere
  '-m', '-W' and '-C' are taken: how the work is spread does not change the result

Parameters to map subcommand:
  '--start-offset' and '--max-length' choose a part of the disk
  '--bitmap' lists the ranges that a persistent bitmap marks, and not where the data is; the real
    program has no such option

Supported formats: ${FORMAT_NAMES.join(' ')}
`;
