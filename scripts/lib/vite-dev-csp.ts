import type { Plugin } from 'vite';

/**
 * The page's policy forbids every connection, which would cut off the development server's
 * reloading. So under `npm run dev` alone the page may talk to the server it came from.
 */
export function devContentSecurityPolicy(): Plugin {
  return {
    name: 'dev-content-security-policy',
    apply: 'serve',
    transformIndexHtml: (html) => html.replace("connect-src 'none'", "connect-src 'self' ws:"),
  };
}
