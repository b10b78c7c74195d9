/** One of the threads that unpack compressed clusters; started by the engine's worker. */
import { serveCodec } from '../engine/index.ts';

serveCodec(self);
