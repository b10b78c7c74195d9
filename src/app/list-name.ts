/** SHA256SUMS, Fedora-41-CHECKSUM, disk.qcow2.sha256, sha512sum.txt: lists of checksums. */
export const LIST_NAME = /(^|[._-])(sha-?\d*(sums?)?|md5(sums?)?|checksums?)(\.(txt|asc))?$/i;
