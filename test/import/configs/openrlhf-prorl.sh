set -x
MODEL_PATH="deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"
python3 -m openrlhf.cli.train_ppo_ray \
   --actor.num_nodes 1 --actor.num_gpus_per_node 8 \
   --vllm.num_engines 8 \
   --train.colocate_all \
   --algo.kl.init_coef 1e-4 \
   --algo.kl.use_loss \
   --algo.kl.estimator k2 \
   --algo.advantage.estimator group_norm \
   --algo.advantage.is_correction_enable \
   --algo.advantage.is_correction_type tis \
   --algo.dynamic_filtering_enable \
   --algo.dynamic_filtering_range 0 1 \
   --actor.eps_clip_low_high 0.2 0.27 \
   --actor.model_name_or_path ${MODEL_PATH} \
   --actor.adam.lr 1e-6 \
   --actor.gradient_checkpointing_enable \
   --reward.remote_url ./math_reward_func.py \
   --train.batch_size 1024 \
   --rollout.batch_size 512 \
   --rollout.n_samples_per_prompt 16 \
   --rollout.max_new_tokens 8192 \
   --train.num_episodes 2 \
   --data.prompt_dataset OpenRLHF/dapo-math-17k \
   --data.input_key prompt --data.label_key label \
   --data.apply_chat_template \
   --eval.dataset OpenRLHF/aime-2024 --eval.steps 5 --eval.temperature 1.0 --eval.n_samples_per_prompt 4 \
   --ckpt.save_steps 5 \
   --ds.zero_stage 3 --ds.packing_samples \
   --warp.factor 9

# One could also try --algo.kl.estimator k3
