/** One of the threads that unpack compressed clusters; started by the engine's worker. */
import { type CodecScope, serveCodec } from '../engine/index.ts';

// `self` is typed as a window here: one configuration serves both kinds of threads.
serveCodec(self as unknown as CodecScope);
