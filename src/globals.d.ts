/** Version of the package, put in by the build (and by the tests as `0.0.0-test`). */
declare const __APP_VERSION__: string;
/** Commit that the app was built from, short; '' where that is not known. */
declare const __APP_COMMIT__: string;
