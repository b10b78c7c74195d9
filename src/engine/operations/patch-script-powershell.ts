/** The script for PowerShell 5.1 and newer: plain .NET streams, nothing of a newer version. */
import { comment, line } from './patch-script-posix.ts';
import type { ScriptFacts } from './patch-scripts.ts';

const BODY = String.raw`
function Fail([string] $text) { [Console]::Error.WriteLine($text); exit 1 }

function Full([string] $path) {
  return $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($path)
}

# Reads up to $count bytes into $buffer; returns how many there were.
function Fill($stream, [byte[]] $buffer, [int] $count) {
  $done = 0
  while ($done -lt $count) {
    $got = $stream.Read($buffer, $done, $count - $done)
    if ($got -eq 0) { break }
    $done += $got
  }
  return $done
}

# Gives $length bytes of a stream from $offset on to a digest and, unless it is null, to another stream.
function Pass($stream, [long] $offset, [long] $length, $hash, $target) {
  $buffer = New-Object byte[] 1048576
  [void] $stream.Seek($offset, 'Begin')
  while ($length -gt 0) {
    $count = Fill $stream $buffer ([int] [Math]::Min($length, $buffer.Length))
    if ($count -eq 0) { return }
    if ($null -ne $hash) { [void] $hash.TransformBlock($buffer, 0, $count, $null, 0) }
    if ($null -ne $target) { $target.Write($buffer, 0, $count) }
    $length -= $count
  }
}

function Finish($hash) {
  [void] $hash.TransformFinalBlock((New-Object byte[] 0), 0, 0)
  return ([BitConverter]::ToString($hash.Hash) -replace '-', '').ToLowerInvariant()
}

function Sha-Of([string] $path) {
  $hash = [Security.Cryptography.SHA256]::Create()
  $stream = [IO.File]::OpenRead($path)
  try { Pass $stream 0 $stream.Length $hash $null } finally { $stream.Dispose() }
  return Finish $hash
}

# The digest of the old bytes; they are written to $target unless it is null.
function Old-Bytes($file, $target) {
  $hash = [Security.Cryptography.SHA256]::Create()
  foreach ($run in $runs) { Pass $file $run.Offset $run.Old $hash $target }
  if ($cut -ge 0) { Pass $file $cut ($oldSize - $cut) $hash $target }
  return Finish $hash
}

function Is-Old($file) {
  return ($file.Length -eq $oldSize) -and ((Old-Bytes $file $null) -eq $oldSha)
}

function Is-New($file) {
  if ($file.Length -ne $newSize) { return $false }
  $hash = [Security.Cryptography.SHA256]::Create()
  foreach ($run in $runs) { Pass $file $run.Offset $run.Length $hash $null }
  return (Finish $hash) -eq $newSha
}

function Has-Undo { return [IO.File]::Exists($undoFile) -and ((Sha-Of $undoFile) -eq $oldSha) }

function Mark { [IO.File]::WriteAllBytes($marker, (New-Object byte[] 0)) }

function Write-New($file, $patch) {
  $zeros = New-Object byte[] 65536
  foreach ($run in $runs) {
    [void] $file.Seek($run.Offset, 'Begin')
    if ($run.From -ge 0) { Pass $patch $run.From $run.Length $null $file; continue }
    for ($left = $run.Length; $left -gt 0; $left -= $zeros.Length) {
      $file.Write($zeros, 0, [int] [Math]::Min($left, $zeros.Length))
    }
  }
  $file.SetLength($newSize)
  $file.Flush($true)
}

function Write-Old($file, $undo) {
  $at = [long] 0
  foreach ($run in $runs) {
    [void] $file.Seek($run.Offset, 'Begin')
    Pass $undo $at $run.Old $null $file
    $at += $run.Old
  }
  if ($cut -ge 0) {
    [void] $file.Seek($cut, 'Begin')
    Pass $undo $at ($oldSize - $cut) $null $file
  }
  $file.SetLength($oldSize)
  $file.Flush($true)
}

if ($Image -eq '') { $Image = Join-Path $PSScriptRoot $imageName }
$Image = Full $Image
$undoFile = $Image + '.before-patch'
$marker = $Image + '.patching'
if (-not [IO.File]::Exists($Image)) { Fail ($Image + ': no such file') }

$runs = @(foreach ($text in ($list -split "\r?\n")) {
  $word = $text.Trim() -split ' '
  if ($word.Count -ne 4) { continue }
  $from = [long] -1
  if ($word[3] -ne '-') { $from = [long] $word[3] }
  New-Object PSObject -Property @{
    Offset = 512 * [long] $word[0]; Length = [long] $word[1]; Old = [long] $word[2]; From = $from
  }
})

$access = 'ReadWrite'
if ($Check) { $access = 'Read' }
# Nobody else may have it open: neither a virtual machine nor another run of this.
$file = New-Object IO.FileStream($Image, [IO.FileMode]::Open, [IO.FileAccess] $access, [IO.FileShare]::None)
try {
  if ($Check) {
    if ([IO.File]::Exists($marker)) { Fail ($Image + ': a run of this script was interrupted') }
    if (Is-Old $file) { Write-Output ($Image + ': the change can be made'); exit 0 }
    if (Is-New $file) { Write-Output ($Image + ': the change has been made'); exit 0 }
    Fail ($Image + ': not the file that this change was made for, or changed since')
  }

  if ($Undo) {
    if (-not [IO.File]::Exists($marker)) {
      if (Is-Old $file) { Write-Output ($Image + ': the change has not been made'); exit 0 }
      if (-not (Is-New $file)) { Fail ($Image + ': changed since; nothing was written') }
    }
    if (-not (Has-Undo)) { Fail ($undoFile + ': not there or not as it was written; nothing was written') }
    Mark
    $old = [IO.File]::OpenRead($undoFile)
    try { Write-Old $file $old } finally { $old.Dispose() }
    if (-not (Is-Old $file)) { Fail ($Image + ': not as it was; ' + $undoFile + ' is kept') }
    [IO.File]::Delete($marker)
    [IO.File]::Delete($undoFile)
    Write-Output ($Image + ': as it was before the change')
    exit 0
  }

  if ($patchName -ne '') {
    $patchFile = Join-Path $PSScriptRoot $patchName
    if (-not [IO.File]::Exists($patchFile)) { Fail ($patchFile + ': the patch has to lie beside this script') }
    if ((Sha-Of $patchFile) -ne $patchSha) { Fail ($patchFile + ': not as it was written; nothing was written') }
    $patch = [IO.File]::OpenRead($patchFile)
  } else {
    $patch = New-Object IO.MemoryStream(, [Convert]::FromBase64String($inline))
  }
  try {
    if (-not [IO.File]::Exists($marker)) {
      if (Is-New $file) { Write-Output ($Image + ': the change has been made before'); exit 0 }
      if (-not (Is-Old $file)) {
        Fail ($Image + ': not the file that this change was made for, or changed since; nothing was written')
      }
      $undo = [IO.File]::Create($undoFile)
      try { [void] (Old-Bytes $file $undo); $undo.Flush($true) } finally { $undo.Dispose() }
      if (-not (Has-Undo)) { Fail ($undoFile + ': could not be written; the image was not changed') }
      Mark
    }
    if (-not (Has-Undo)) { Fail ($undoFile + ': not as it was written; nothing was written') }
    Write-New $file $patch
    if (-not (Is-New $file)) { Fail ($Image + ': not as it should be; run this again with -Undo') }
    [IO.File]::Delete($marker)
    Write-Output ($Image + ': changed; -Undo takes it back, with ' + $undoFile)
  } finally { $patch.Dispose() }
} finally { $file.Dispose() }
`;

/** The script as a text: ASCII alone, as 5.1 takes everything else for another encoding. */
export function powerShellScript(facts: ScriptFacts): string {
  const { inline, oldSize, newSize, cutBlock, patchSha, oldSha, newSha } = facts;
  const head = [
    `# Changes a disk image in place: ${comment(facts.imageName)}, or the file that is named.`,
    '# Shut down whatever uses it first. The old bytes are kept beside the image: -Undo puts them',
    '# back, -Check only looks. Nothing is written to a file that is not the expected one.',
    '# powershell -ExecutionPolicy Bypass -File <this file> [-Check | -Undo] [image]',
    "param([string] $Image = '', [switch] $Undo, [switch] $Check)",
    "$ErrorActionPreference = 'Stop'",
    `$imageName = ${text(facts.imageName)}`,
    `$patchName = ${inline === undefined ? text(facts.patchName) : "''"}`,
    `$patchSha = '${patchSha}'`,
    `$oldSize = [long] ${oldSize}`,
    `$newSize = [long] ${newSize}`,
    `$cut = [long] ${cutBlock === undefined ? -1 : cutBlock * 512}`,
    `$oldSha = '${oldSha}'`,
    `$newSha = '${newSha}'`,
    '',
    '# Units of 512 bytes, bytes, bytes before, place in the patch',
    "$list = @'",
    ...facts.runs.map(line),
    "'@",
    ...(inline === undefined ? [] : ['', "$inline = @'", inline, "'@"]),
  ];
  return `${head.join('\n')}\n${BODY}`.replaceAll('\n', '\r\n');
}

/** An expression for a text of any characters. */
function text(value: string): string {
  const bytes = new TextEncoder().encode(value);
  const encoded = btoa(String.fromCharCode(...bytes));
  return `[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('${encoded}'))`;
}
