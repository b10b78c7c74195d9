import fc from 'fast-check';

/**
 * A property that fails is made small before it is reported, which may take minutes: the test's own
 * limit would then end it without a word about the reason. So it ends sooner, with the seed.
 */
fc.installGlobalPlugin(fc.interruptAfterTimeLimit(40_000, { failOnInterrupt: true }));
