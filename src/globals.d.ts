/** Version of the package, put in by the build (and by the tests as `0.0.0-test`). */
declare const __APP_VERSION__: string;
