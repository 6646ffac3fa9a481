/** Entry of a hash worker. */
import { Assembler } from './assembler.js'
import { Descriptors } from './files.js'
import type { HashJobs } from './jobs.js'
import { serve } from './serve.js'

serve<HashJobs>(new Assembler(new Descriptors()).handlers)
