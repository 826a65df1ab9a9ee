# bash completion for distil; written by: distil completions bash

_distil_words() {
    local word
    while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$1" -- "$current")
}

_distil_paths() {
    local path
    compopt -o filenames 2>/dev/null
    while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen "$1" -- "$current")
}

# Any text may follow: offer nothing, not even files.
_distil_free() { compopt +o default 2>/dev/null; }

_distil() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} i
    local command=${COMP_WORDS[1]} options=1
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then command=; fi
    # bash splits --option=value into three words.
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = ]] && ((COMP_CWORD > 2)); then
        previous=${COMP_WORDS[COMP_CWORD-2]}
    fi
    for ((i = 2; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == -- ]]; then options=; fi
    done
    case $command in
        '')
            if [[ $options ]]; then
                if [[ $current == -* ]]; then
                    _distil_words '--version --help -h'; return
                fi
            fi
            _distil_words 'bench choose classify clean completions compress embed evaluate fill finetune merge params qa tag tokenize' ;;
        'bench')
            if [[ $options ]]; then
                case $previous in
                    --text-column | -c | --seq | --sweep | --rounds | --seconds | --device | --precision | --batch | --threads | --fail-over | --max-p95-ms | --limit | --join | --input-format | --delimiter | --encoding | --word-column | --max-field-bytes | --plan | --cores | --gpus | --gpu-rows-per-second | --price-core-hour | --price-gpu-hour) _distil_free; return ;;
                    --format) _distil_words 'auto table tsv csv json'; return ;;
                    --vs | --model | -m) _distil_words 'embed entities mini qa sentiment'; _distil_paths -d; return ;;
                    --profile) _distil_paths -d; return ;;
                    --dataset | --compare | --stats) _distil_paths -f; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--text-column -c --format --seq --sweep --vs --rounds --seconds --profile --dataset --model -m --device --precision --offline --batch --threads --compare --fail-over --max-p95-ms --limit --join --input-format --no-header --delimiter --encoding --word-column --max-field-bytes --plan --cores --gpus --gpu-rows-per-second --price-core-hour --price-gpu-hour --quiet -q --json --stats --help -h'; return
                fi
            fi
            _distil_free ;;
        'choose')
            if [[ $options ]]; then
                case $previous in
                    --prompt | --option | --prompt-column | --options-column | --option-columns | --text | --limit | --file-column | --join | --input-format | --delimiter | --encoding | --word-column | --max-field-bytes | --prefix | --max-length | --stride | --device | --min-agreement | --batch | --max-tokens | --threads | --shard | --workers | --gpus-per-worker | --ray-address) _distil_free; return ;;
                    --on-error) _distil_words 'keep skip stop'; return ;;
                    --output | -o | --stats) _distil_paths -f; return ;;
                    --format) _distil_words 'auto table csv tsv jsonl json parquet'; return ;;
                    --long) _distil_words 'truncate window error'; return ;;
                    --model | -m) _distil_words 'embed entities mini qa sentiment'; _distil_paths -d; return ;;
                    --precision) _distil_words 'auto fp32 tf32 bf16 fp16 int8'; return ;;
                    --engine) _distil_words 'local ray'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--prompt --option --prompt-column --options-column --option-columns --text --limit --file-column --on-error --keep-empty --join --input-format --no-header --delimiter --encoding --word-column --max-field-bytes --output -o --format --prefix --force --resume --retry-errors --long --max-length --stride --model -m --device --precision --min-agreement --offline --batch --max-tokens --threads --deterministic --provenance --shard --engine --workers --gpus-per-worker --ray-address --quiet -q --dry-run --json --stats --help -h'; return
                fi
            fi
            _distil_paths -f ;;
        'classify')
            if [[ $options ]]; then
                case $previous in
                    --text-column | -c | --pair-column | --labels | --top-k | --threshold | --text | --limit | --file-column | --join | --input-format | --delimiter | --encoding | --word-column | --max-field-bytes | --prefix | --max-length | --stride | --device | --min-agreement | --batch | --max-tokens | --threads | --shard | --workers | --gpus-per-worker | --ray-address) _distil_free; return ;;
                    --on-error) _distil_words 'keep skip stop'; return ;;
                    --output | -o | --stats) _distil_paths -f; return ;;
                    --format) _distil_words 'auto table csv tsv jsonl json parquet'; return ;;
                    --long) _distil_words 'truncate window error'; return ;;
                    --window-pooling) _distil_words 'mean max first'; return ;;
                    --model | -m) _distil_words 'embed entities mini qa sentiment'; _distil_paths -d; return ;;
                    --precision) _distil_words 'auto fp32 tf32 bf16 fp16 int8'; return ;;
                    --engine) _distil_words 'local ray'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--text-column -c --pair-column --labels --top-k --all-scores --multi-label --threshold --no-abstain --text --limit --whole-files --file-column --on-error --keep-empty --join --input-format --no-header --delimiter --encoding --word-column --max-field-bytes --output -o --format --prefix --force --resume --retry-errors --long --max-length --stride --window-pooling --model -m --device --precision --min-agreement --offline --batch --max-tokens --threads --deterministic --provenance --shard --engine --workers --gpus-per-worker --ray-address --quiet -q --dry-run --json --stats --help -h'; return
                fi
            fi
            _distil_paths -f ;;
        'clean')
            if [[ $options ]]; then
                case $previous in
                    --text-column | -c | --label-column | --label-columns | --near-duplicates | --text | --limit | --file-column | --join | --input-format | --delimiter | --encoding | --word-column | --max-field-bytes | --prefix | --max-length | --stride | --device | --min-agreement | --batch | --max-tokens | --threads) _distil_free; return ;;
                    --test | --output | -o | --stats) _distil_paths -f; return ;;
                    --on-error) _distil_words 'keep skip stop'; return ;;
                    --format) _distil_words 'auto table csv tsv jsonl json parquet'; return ;;
                    --long) _distil_words 'truncate window error'; return ;;
                    --window-pooling) _distil_words 'mean max first'; return ;;
                    --model | -m) _distil_words 'embed entities mini qa sentiment'; _distil_paths -d; return ;;
                    --precision) _distil_words 'auto fp32 tf32 bf16 fp16 int8'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--text-column -c --label-column --label-columns --test --near-duplicates --text --limit --file-column --on-error --join --input-format --no-header --delimiter --encoding --word-column --max-field-bytes --output -o --format --prefix --force --long --max-length --stride --window-pooling --model -m --device --precision --min-agreement --offline --batch --max-tokens --threads --deterministic --provenance --quiet -q --dry-run --json --stats --help -h'; return
                fi
            fi
            _distil_paths -f ;;
        'completions')
            if [[ $options ]]; then
                if [[ $current == -* ]]; then
                    _distil_words '--help -h'; return
                fi
            fi
            _distil_words 'bash zsh fish' ;;
        'compress')
            if [[ $options ]]; then
                case $previous in
                    --output | -o) _distil_paths -d; return ;;
                    --merge) _distil_words 'embed entities mini qa sentiment'; _distil_paths -f; return ;;
                    --prune-layers | --prune-heads | --prune-ffn | --positions | --text-column | -c | --pair-column | --label-column | --map | --limit | --min-agreement | --seconds | --device) _distil_free; return ;;
                    --data) _distil_paths -f; return ;;
                    --format) _distil_words 'auto table tsv csv json'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--output -o --merge --prune-layers --prune-heads --prune-ffn --prune-vocab --positions --int8 --data --text-column -c --pair-column --label-column --map --limit --min-agreement --seconds --format --force --device --offline --quiet -q --help -h'; return
                fi
            fi
            _distil_words 'embed entities mini qa sentiment'; _distil_paths -d ;;
        'embed')
            if [[ $options ]]; then
                case $previous in
                    --text-column | -c | --id-column | --pooling | --dims | --layer | --prompt | --prompt-name | --search | --top-k | -k | --near-duplicates | --dedupe | --text | --limit | --file-column | --join | --input-format | --delimiter | --encoding | --word-column | --max-field-bytes | --prefix | --max-length | --stride | --device | --min-agreement | --batch | --max-tokens | --threads | --shard | --workers | --gpus-per-worker | --ray-address) _distil_free; return ;;
                    --dtype) _distil_words 'float32 float16 int8 binary'; return ;;
                    --index | --dropped | --output | -o | --stats) _distil_paths -f; return ;;
                    --on-error) _distil_words 'keep skip stop'; return ;;
                    --format) _distil_words 'auto table csv tsv jsonl json parquet npy safetensors'; return ;;
                    --long) _distil_words 'truncate window error'; return ;;
                    --window-pooling) _distil_words 'mean max first'; return ;;
                    --model | -m) _distil_words 'embed entities mini qa sentiment'; _distil_paths -d; return ;;
                    --precision) _distil_words 'auto fp32 tf32 bf16 fp16 int8'; return ;;
                    --engine) _distil_words 'local ray'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--text-column -c --id-column --pooling --normalize --no-normalize --dims --layer --tokens --dtype --prompt --prompt-name --update --search --index --top-k -k --near-duplicates --dedupe --dropped --text --limit --whole-files --file-column --on-error --keep-empty --join --input-format --no-header --delimiter --encoding --word-column --max-field-bytes --output -o --format --prefix --force --resume --retry-errors --long --max-length --stride --window-pooling --model -m --device --precision --min-agreement --offline --batch --max-tokens --threads --deterministic --provenance --shard --engine --workers --gpus-per-worker --ray-address --quiet -q --dry-run --json --stats --help -h'; return
                fi
            fi
            _distil_paths -f ;;
        'evaluate')
            if [[ $options ]]; then
                case $previous in
                    --errors | --plot | --stats) _distil_paths -f; return ;;
                    --format) _distil_words 'auto table tsv csv json'; return ;;
                    --limit | --join | --input-format | --delimiter | --encoding | --word-column | --max-field-bytes | --text-column | -c | --pair-column | --label-column | --label-separator | --label-columns | --labels | --options-column | --option-columns | --prefix | --min | --max | --by | --confidence | --map | --threshold | --max-error | --max-length | --stride | --device | --min-agreement | --batch | --max-tokens | --threads) _distil_free; return ;;
                    --on-error) _distil_words 'stop skip'; return ;;
                    --task) _distil_words 'classify multilabel regress tag qa mlm embed choose'; return ;;
                    --long) _distil_words 'truncate window error'; return ;;
                    --window-pooling) _distil_words 'mean max first'; return ;;
                    --precision) _distil_words 'auto fp32 tf32 bf16 fp16 int8'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--errors --plot --force --format --limit --on-error --keep-empty --join --input-format --no-header --delimiter --encoding --word-column --max-field-bytes --text-column -c --pair-column --label-column --label-separator --label-columns --labels --options-column --option-columns --prefix --task --min --max --by --confidence --map --threshold --threshold-search --calibrate --max-error --per-label --long --max-length --stride --window-pooling --device --precision --min-agreement --offline --batch --max-tokens --threads --quiet -q --json --stats --help -h'; return
                fi
            fi
            _distil_free ;;
        'fill')
            if [[ $options ]]; then
                case $previous in
                    --text-column | -c | --top-k | --targets | --text | --limit | --file-column | --join | --input-format | --delimiter | --encoding | --word-column | --max-field-bytes | --prefix | --max-length | --stride | --device | --min-agreement | --batch | --max-tokens | --threads | --shard | --workers | --gpus-per-worker | --ray-address) _distil_free; return ;;
                    --on-error) _distil_words 'keep skip stop'; return ;;
                    --output | -o | --stats) _distil_paths -f; return ;;
                    --format) _distil_words 'auto table csv tsv jsonl json parquet'; return ;;
                    --long) _distil_words 'truncate window error'; return ;;
                    --model | -m) _distil_words 'embed entities mini qa sentiment'; _distil_paths -d; return ;;
                    --precision) _distil_words 'auto fp32 tf32 bf16 fp16 int8'; return ;;
                    --engine) _distil_words 'local ray'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--text-column -c --top-k --targets --whole-word --pseudo-perplexity --text --limit --whole-files --file-column --on-error --keep-empty --join --input-format --no-header --delimiter --encoding --word-column --max-field-bytes --output -o --format --prefix --force --resume --retry-errors --long --max-length --stride --model -m --device --precision --min-agreement --offline --batch --max-tokens --threads --deterministic --provenance --shard --engine --workers --gpus-per-worker --ray-address --quiet -q --dry-run --json --stats --help -h'; return
                fi
            fi
            _distil_paths -f ;;
        'finetune')
            if [[ $options ]]; then
                case $previous in
                    --task) _distil_words 'classify multilabel regress tag qa mlm embed choose'; return ;;
                    --config | --valid | --teacher-scores | --teacher-vectors | --plot | --stats) _distil_paths -f; return ;;
                    --mix | --valid-split | --text-column | -c | --join | --pair-column | --negative-column | --label-column | --label-separator | --label-columns | --labels | --options-column | --option-columns | --input-format | --encoding | --delimiter | --word-column | --limit | --student-layers | --student | --positions | --add-tokens | --prune-heads | --max-length | --epochs | --learning-rate | --lr | --warmup | --weight-decay | --layer-decay | --clip | --max-tokens | --accumulate | --freeze | --dropout | --average | --eval-every | --early-stopping | --seed | --label-smoothing | --augment | --temperature | --alpha-ce | --alpha-task | --alpha-cos | --alpha-hidden | --alpha-attention | --shard | --device | --threads) _distil_free; return ;;
                    --model | -m | --teacher) _distil_words 'embed entities mini qa sentiment'; _distil_paths -d; return ;;
                    --position-growth) _distil_words 'copy interpolate'; return ;;
                    --schedule) _distil_words 'linear cosine'; return ;;
                    --precision) _distil_words 'auto fp32 bf16'; return ;;
                    --class-weights) _distil_words 'balanced'; return ;;
                    --teacher-cache | --output | -o) _distil_paths -d; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--task --config --mix --valid --valid-split --text-column -c --join --pair-column --negative-column --label-column --label-separator --label-columns --labels --options-column --option-columns --input-format --encoding --delimiter --no-header --word-column --keep-empty --limit --model -m --fold --student-layers --student --positions --position-growth --add-tokens --prune-heads --max-length --epochs --learning-rate --lr --schedule --warmup --weight-decay --layer-decay --clip --max-tokens --accumulate --gradient-checkpointing --freeze --dropout --average --precision --eval-every --early-stopping --seed --class-weights --label-smoothing --augment --teacher --teacher-scores --teacher-vectors --teacher-cache --temperature --alpha-ce --alpha-task --alpha-cos --alpha-hidden --alpha-attention --cache-only --shard --output -o --plot --resume --force --device --offline --threads --quiet -q --dry-run --json --stats --help -h'; return
                fi
            fi
            _distil_paths -f ;;
        'merge')
            if [[ $options ]]; then
                if [[ $current == -* ]]; then
                    _distil_words '--missing --force --quiet -q --help -h'; return
                fi
            fi
            _distil_free ;;
        'params')
            if [[ $options ]]; then
                case $previous in
                    --diff) _distil_words 'embed entities mini qa sentiment'; _distil_paths -f; return ;;
                    --by) _distil_words 'module layer tensor'; return ;;
                    --format) _distil_words 'auto table tsv csv json'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--diff --by --check --format --offline --quiet -q --help -h'; return
                fi
            fi
            _distil_words 'embed entities mini qa sentiment'; _distil_paths -d ;;
        'qa')
            if [[ $options ]]; then
                case $previous in
                    --question | --context | --question-column | --context-column | --top-k | --best | --max-answer-length | --no-answer-threshold | --text | --limit | --file-column | --join | --input-format | --delimiter | --encoding | --word-column | --max-field-bytes | --prefix | --max-length | --stride | --device | --min-agreement | --batch | --max-tokens | --threads | --shard | --workers | --gpus-per-worker | --ray-address) _distil_free; return ;;
                    --context-file | --squad-predictions | --output | -o | --stats) _distil_paths -f; return ;;
                    --on-error) _distil_words 'keep skip stop'; return ;;
                    --format) _distil_words 'auto table csv tsv jsonl json parquet'; return ;;
                    --long) _distil_words 'truncate window error'; return ;;
                    --model | -m) _distil_words 'embed entities mini qa sentiment'; _distil_paths -d; return ;;
                    --precision) _distil_words 'auto fp32 tf32 bf16 fp16 int8'; return ;;
                    --engine) _distil_words 'local ray'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--question --context --context-file --question-column --context-column --top-k --best --max-answer-length --no-answer-threshold --squad-predictions --text --limit --whole-files --file-column --on-error --keep-empty --join --input-format --no-header --delimiter --encoding --word-column --max-field-bytes --output -o --format --prefix --force --resume --retry-errors --long --max-length --stride --model -m --device --precision --min-agreement --offline --batch --max-tokens --threads --deterministic --provenance --shard --engine --workers --gpus-per-worker --ray-address --quiet -q --dry-run --json --stats --help -h'; return
                fi
            fi
            _distil_paths -f ;;
        'tag')
            if [[ $options ]]; then
                case $previous in
                    --text-column | -c | --text | --limit | --file-column | --join | --input-format | --delimiter | --encoding | --word-column | --max-field-bytes | --prefix | --max-length | --stride | --device | --min-agreement | --batch | --max-tokens | --threads | --shard | --workers | --gpus-per-worker | --ray-address) _distil_free; return ;;
                    --aggregation) _distil_words 'none simple first average max'; return ;;
                    --on-error) _distil_words 'keep skip stop'; return ;;
                    --output | -o | --stats) _distil_paths -f; return ;;
                    --format) _distil_words 'auto table csv tsv jsonl json parquet conll'; return ;;
                    --long) _distil_words 'truncate window error'; return ;;
                    --model | -m) _distil_words 'embed entities mini qa sentiment'; _distil_paths -d; return ;;
                    --precision) _distil_words 'auto fp32 tf32 bf16 fp16 int8'; return ;;
                    --engine) _distil_words 'local ray'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--text-column -c --aggregation --no-abstain --text --limit --whole-files --file-column --on-error --keep-empty --join --input-format --no-header --delimiter --encoding --word-column --max-field-bytes --output -o --format --prefix --force --resume --retry-errors --long --max-length --stride --model -m --device --precision --min-agreement --offline --batch --max-tokens --threads --deterministic --provenance --shard --engine --workers --gpus-per-worker --ray-address --quiet -q --dry-run --json --stats --help -h'; return
                fi
            fi
            _distil_paths -f ;;
        'tokenize')
            if [[ $options ]]; then
                case $previous in
                    --text-column | -c | --pair-column | --columns | --vocab-size | --max-length | --stride | --text | --limit | --file-column | --join | --input-format | --delimiter | --encoding | --word-column | --max-field-bytes | --prefix) _distil_free; return ;;
                    --plot | --vocab | --output | -o) _distil_paths -f; return ;;
                    --diff) _distil_words 'embed entities mini qa sentiment'; _distil_paths -f; return ;;
                    --model | -m) _distil_words 'embed entities mini qa sentiment'; _distil_paths -d; return ;;
                    --engine) _distil_words 'fast wordpiece'; return ;;
                    --long) _distil_words 'truncate window error'; return ;;
                    --truncation) _distil_words 'longest_first only_first only_second'; return ;;
                    --on-error) _distil_words 'keep skip stop'; return ;;
                    --format) _distil_words 'auto table csv tsv jsonl json parquet'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--text-column -c --pair-column --columns --decode --statistics --plot --diff --train --vocab-size --model -m --vocab --cased --uncased --engine --offline --long --max-length --stride --truncation --text --limit --whole-files --file-column --on-error --join --input-format --no-header --delimiter --encoding --word-column --max-field-bytes --output -o --format --prefix --force --quiet -q --json --help -h'; return
                fi
            fi
            _distil_paths -f ;;
    esac
}

complete -o default -F _distil distil
