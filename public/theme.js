// How it is to look, before anything is painted; a script of its own, as the policy wants it.
try {
  const { theme, motion } = JSON.parse(localStorage.getItem('settings') ?? '{}');
  if (theme === 'light' || theme === 'dark') document.documentElement.style.colorScheme = theme;
  if (motion === 'less') document.documentElement.dataset.motion = 'less';
} catch {
  // Nothing stored, or storage is switched off: the system's theme.
}
