// jco gives a component no directory of its own accord: this hands it the one where the audit log goes.
import { _addPreopen } from '@bytecodealliance/preview2-shim/filesystem';

_addPreopen('/state', process.env.AEGIS_STATE_DIR);
